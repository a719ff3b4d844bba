/**
 * LuCI's datatypes. Each takes the text and its arguments and gives null where the text is good, or what was expected.
 * Arguments that are types come as functions of the same kind.
 */
import { parseDecimal, parseInteger, parseIPv4, parseIPv6 } from './numbers.js';

const expect = (good, message) => (good ? null : message);

/** An address, with `/bits` unless `nomask`. */
function address(parse, bits, nomask) {
	return (value) => {
		const [host, mask, rest] = value.split('/');
		return parse(host) !== null && rest === undefined && (mask === undefined || !nomask && parseInteger(mask) >= 0 && parseInteger(mask) <= bits);
	};
}

function cidr(parse, bits) {
	return (value) => value.includes('/') && address(parse, bits, false)(value);
}

const isHostname = (value, strict) => value.length <= 253 && /[a-z]/i.test(value)
	&& (strict ? /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i : /^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.?$/i).test(value);
const isPort = (value) => parseInteger(value) >= 0 && parseInteger(value) <= 65535;
const bytes = (value) => new TextEncoder().encode(value).length;

/** @param {function(string): string} _ translates */
export function makeTypes(_) {
	const types = {
		integer: (v) => expect(!Number.isNaN(parseInteger(v)), _('valid integer value')),
		uinteger: (v) => expect(parseInteger(v) >= 0, _('positive integer value')),
		float: (v) => expect(!Number.isNaN(parseDecimal(v)), _('valid decimal value')),
		ufloat: (v) => expect(parseDecimal(v) >= 0, _('positive decimal value')),
		ipaddr: (v, nomask) => expect(!types.ip4addr(v, nomask) || !types.ip6addr(v, nomask), nomask ? _('valid IP address') : _('valid IP address or prefix')),
		ip4addr: (v, nomask) => expect(address(parseIPv4, 32, nomask)(v), nomask ? _('valid IPv4 address') : _('valid IPv4 address or network')),
		ip6addr: (v, nomask) => expect(address(parseIPv6, 128, nomask)(v), nomask ? _('valid IPv6 address') : _('valid IPv6 address or prefix')),
		ip4prefix: (v) => expect(parseInteger(v) >= 0 && parseInteger(v) <= 32, _('valid IPv4 prefix value (0-32)')),
		ip6prefix: (v) => expect(parseInteger(v) >= 0 && parseInteger(v) <= 128, _('valid IPv6 prefix value (0-128)')),
		cidr: (v) => expect(cidr(parseIPv4, 32)(v) || cidr(parseIPv6, 128)(v), _('valid IPv4 or IPv6 CIDR')),
		cidr4: (v) => expect(cidr(parseIPv4, 32)(v), _('valid IPv4 CIDR')),
		cidr6: (v) => expect(cidr(parseIPv6, 128)(v), _('valid IPv6 CIDR')),
		port: (v) => expect(isPort(v), _('valid port value')),
		portrange: (v) => {
			const [from, to, rest] = v.split('-');
			const good = isPort(from) && rest === undefined && (to === undefined || isPort(to) && Number(from) <= Number(to));
			return expect(good, _('valid port or port range (port1-port2)'));
		},
		macaddr: (v) => expect(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(v), _('valid MAC address')),
		hostname: (v, strict) => expect(isHostname(v, strict), _('valid hostname')),
		host: (v, ipv4only) => expect(isHostname(v) || parseIPv4(v) || !ipv4only && parseIPv6(v), _('valid hostname or IP address')),
		network: (v) => expect(/^[a-z0-9_]+$/i.test(v) || !types.host(v), _('valid UCI identifier, hostname or IP address range')),
		hostport: (v, ipv4only) => {
			const m = /^(.*):(\d+)$/.exec(v);
			return expect(m && !types.host(m[1], ipv4only) && isPort(m[2]), _('valid host:port'));
		},
		ip4addrport: (v) => {
			const m = /^(.*):(\d+)$/.exec(v);
			return expect(m && parseIPv4(m[1]) && isPort(m[2]), _('valid IPv4 address:port'));
		},
		ipaddrport: (v, bracket) => {
			const m = bracket ? /^\[(.*)\]:(\d+)$/.exec(v) || /^([\d.]+):(\d+)$/.exec(v) : /^(.*):(\d+)$/.exec(v);
			return expect(m && (parseIPv4(m[1]) || parseIPv6(m[1])) && isPort(m[2]), _('valid address:port'));
		},
		uciname: (v) => expect(/^[A-Za-z0-9_]+$/.test(v), _('valid UCI identifier')),
		netdevname: (v) => expect(v.length <= 15 && /^[^:/%\s]+$/.test(v) && v !== '.' && v !== '..', _('valid network device name between 1 and 15 characters not containing ":", "/", "%" or spaces')),
		range: (v, min, max) => expect(parseDecimal(v) >= Number(min) && parseDecimal(v) <= Number(max), _('value between %d and %d').format(min, max)),
		min: (v, min) => expect(parseDecimal(v) >= Number(min), _('value greater or equal to %d').format(min)),
		max: (v, max) => expect(parseDecimal(v) <= Number(max), _('value smaller or equal to %d').format(max)),
		length: (v, length) => expect(bytes(v) === Number(length), _('value with %d characters').format(length)),
		rangelength: (v, min, max) => expect(bytes(v) >= Number(min) && bytes(v) <= Number(max), _('value between %d and %d characters').format(min, max)),
		minlength: (v, min) => expect(bytes(v) >= Number(min), _('value with at least %d characters').format(min)),
		maxlength: (v, max) => expect(bytes(v) <= Number(max), _('value with at most %d characters').format(max)),
		or: (v, ...options) => {
			const faults = options.map((one) => (typeof one === 'function' ? one(v) : expect(String(one) === v, `"${one}"`)));
			return faults.includes(null) ? null : `${_('One of the following:')}${faults.map((fault) => `\n - ${fault}`).join('')}`;
		},
		and: (v, ...options) => options.map((one) => (typeof one === 'function' ? one(v) : expect(String(one) === v, `"${one}"`))).find((fault) => fault !== null) || null,
		neg: (v, ...options) => types.or(v.replace(/^[ \t]*![ \t]*/, ''), ...options),
		list: (v, each) => v.split(/\s+/).filter(Boolean).map((one) => each(one)).find((fault) => fault !== null) || null,
		timehhmmss: (v) => expect(/^(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)$/.test(v), _('valid time (HH:MM:SS)')),
		dateyyyymmdd: (v) => {
			const m = /^(\d{4})-(\d\d)-(\d\d)$/.exec(v);
			const day = m && new Date(Date.UTC(+m[1], +m[2] - 1, +m[3]));
			return expect(m && day.getUTCMonth() === +m[2] - 1 && day.getUTCDate() === +m[3], _('valid date (YYYY-MM-DD)'));
		},
		hexstring: (v) => expect(/^(?:[0-9a-f]{2})+$/i.test(v), _('hexadecimal encoded value')),
		string: () => null,
		directory: () => null,
		file: () => null,
		device: () => null
	};
	return types;
}
