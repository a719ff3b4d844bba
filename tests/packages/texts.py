"""The catalogues' script: what it finds in pages, what it keeps of a translation, what it complains of."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import places
import lmo

PAGE = r"""'use strict';
// _('in a comment') and /* _('in another') */ are not said
const pattern = /['"](_\('no'\))/g, half = 10 / 2, third = 9 / 3;
return view.extend({
	render() {
		return [ _('First'), _("Double \"quoted\""), _('It\'s'), _('Long ' +
			'and joined'), _(  'Two   blanks '), _('Open', 'state'), _('Open'), N_(n, '%d session', '%d sessions'), _(`Plain %s`),
			other._('not ours'), foo_('nor this'), "_('a string')", `${1 + n_(2)}`, _('100 % of \u00fc') ];
	}
});
"""
SAID = ["First", 'Double \\"quoted\\"', "It's", "Long and joined", "Two blanks", "Open", "%d session", "Plain %s", "100 % of ü"]


class Texts(unittest.TestCase):
    """A small app of its own, with the real script in it."""

    def setUp(self):
        self.app = Path(tempfile.mkdtemp()) / "luci-app"
        self.addCleanup(shutil.rmtree, self.app.parent)
        self.put("htdocs/luci-static/resources/view/echomesh/a.js", PAGE)
        self.put("root/usr/share/luci/menu.d/luci-app-echomesh.json", '{"a": {"title": "Menu"}, "b": {"order": 1}}')
        self.put("root/usr/share/rpcd/acl.d/luci-app-echomesh.json", '{"luci-app-echomesh": {"description": "Rights"}}')
        self.put("po/de/echomesh.po", "")
        shutil.copy(places.ROOT / "luci-app/po/update", self.app / "po/update")

    def put(self, name, text):
        (self.app / name).parent.mkdir(parents=True, exist_ok=True)
        (self.app / name).write_text(text)

    def update(self, *options):
        return subprocess.run([self.app / "po/update", *options], capture_output=True, text=True, check=False)

    def po(self, old=None, new=None):
        path = self.app / "po/de/echomesh.po"
        if old:
            self.assertIn(old, path.read_text())
            path.write_text(path.read_text().replace(old, new, 1))
        return path.read_text()

    def translate(self):
        """Gives every text a translation that is good."""
        text, out, key = self.po(), [], ""
        for line in text.split("\n"):
            key = line.split(" ", 1)[1] if line.startswith("msgid") else key
            out.append(f"{line[:-2]}{key}" if line.startswith("msgstr") and line.endswith('""') and key != '""' else line)
        self.po(text, "\n".join(out))

    def test_what_a_page_says_is_found_once_and_in_its_order(self):
        self.assertEqual(self.update().returncode, 0)
        template = (self.app / "po/templates/echomesh.pot").read_text()
        keys = [line[7:-1] for line in template.splitlines() if line.startswith("msgid ")][1:]
        self.assertEqual(keys, SAID[:5] + ["Open"] + SAID[5:] + ["Menu", "Rights"])
        self.assertIn('msgctxt "state"\nmsgid "Open"\n', template)
        self.assertIn('msgid_plural "%d sessions"\nmsgstr[0] ""\nmsgstr[1] ""\n', template)

    def test_translations_stay_and_what_is_gone_goes(self):
        self.update()
        self.translate()
        self.po('msgstr "First"', 'msgstr "Erstes \\"Wort\\""')
        self.assertEqual(self.update("--check").stderr, "")
        self.put("htdocs/luci-static/resources/view/echomesh/a.js", "_('First') + _('Later')")
        self.assertEqual(self.update().returncode, 0)
        told = {m.key: m.forms for m in lmo.messages(self.po())}
        self.assertEqual(list(told), ["", "First", "Later", "Menu", "Rights"])
        self.assertEqual((told["First"], told["Later"]), ({0: 'Erstes "Wort"'}, {0: ""}))
        self.assertIn("Language: de\\n", told[""][0])

    def test_check_names_what_is_wrong_and_changes_nothing(self):
        self.update()
        before = self.po()
        missing = self.update("--check")
        self.assertEqual((missing.returncode, self.po()), (1, before))
        self.assertIn("po/de/echomesh.po: not translated: 'First'", missing.stderr)
        self.translate()
        self.assertEqual(self.update("--check").returncode, 0)
        self.po('msgstr "Plain %s"', 'msgstr "Plain %d"')
        self.assertIn("other places than in 'Plain %s': 'Plain %d'", self.update("--check").stderr)
        self.po('msgstr "Plain %d"', 'msgstr "%s plain"')
        self.assertEqual(self.update("--check").returncode, 0)
        self.put("htdocs/luci-static/resources/view/echomesh/b.js", "_('First')")
        behind = self.update("--check")
        self.assertEqual(behind.returncode, 1)
        self.assertIn("templates/echomesh.pot: is behind", behind.stderr)

    def test_what_nobody_could_translate_is_refused_with_its_line(self):
        for text in ("\n\n_(variable)", "\n\n_('a' + b)", "\n\n_(`a ${b}`)", "\n\n_()", "\n\n_('a'.trim())", "\n\nN_(2, 'one')", "\n\n`${_('a')}`"):
            with self.subTest(text):
                self.put("htdocs/luci-static/resources/view/echomesh/b.js", text)
                done = self.update()
                self.assertEqual(done.returncode, 1)
                self.assertIn("b.js: line 3:", done.stderr)

    def test_a_catalogue_that_is_none_is_not_written_over(self):
        self.put("po/de/echomesh.po", 'msgid "a\n')
        done = self.update()
        self.assertEqual((done.returncode, self.po()), (1, 'msgid "a\n'))
        self.assertIn("po/de/echomesh.po: line 1", done.stderr)


class Ours(unittest.TestCase):
    """The project's own catalogues."""

    def test_they_are_in_step_and_whole(self):
        done = subprocess.run([places.ROOT / "luci-app/po/update", "--check"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
