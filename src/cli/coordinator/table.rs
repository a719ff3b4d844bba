//! Rows of JSON objects as columns of text.

use serde_json::Value;

/// The members `columns` of each row, aligned, under a line of their names.
pub(super) fn text(columns: &[&str], rows: &[Value]) -> String {
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|c| (*c).to_owned()).collect()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|c| cell(row.get(*c))).collect()));
    let widths: Vec<usize> = (0..columns.len()).map(|at| lines.iter().map(|l| l[at].chars().count()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for line in lines {
        let padded: Vec<String> = line.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}")).collect();
        out.push_str(padded.join("  ").trim_end());
        out.push('\n');
    }
    out
}

fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    // What others named must not steer the terminal.
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn columns_line_up_and_terminals_are_safe() {
        let rows = [json!({"a": "x\u{1b}[2Jyz", "b": 7}), json!({"b": true})];
        assert_eq!(super::text(&["a", "b"], &rows), "a       b\nx[2Jyz  7\n-       true\n");
    }
}
