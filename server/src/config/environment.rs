//! Variables `SIGNALBOX__SECTION__KEY`, each standing for one key of the file.

const PREFIX: &str = "SIGNALBOX__";

/// One variable: where it belongs and what it says.
pub(super) struct Variable {
    /// As in the environment, for messages.
    pub(super) name: String,
    /// Sections, then the key.
    pub(super) path: Vec<String>,
    pub(super) text: String,
}

impl Variable {
    /// `None` when the name is not ours.
    pub(super) fn new(name: &str, text: String) -> Option<Self> {
        let path = name.strip_prefix(PREFIX)?.split("__").map(str::to_ascii_lowercase).collect();
        Some(Self { name: name.to_owned(), path, text })
    }
}

/// Ours of this process, in a stable order. One that is not UTF-8 is taken with replacement
/// characters, so that it is refused by its key rather than overlooked.
pub(super) fn variables() -> Vec<Variable> {
    let mut ours: Vec<Variable> = std::env::vars_os()
        .filter_map(|(name, text)| Variable::new(name.to_str()?, text.to_string_lossy().into_owned()))
        .collect();
    ours.sort_by(|a, b| a.name.cmp(&b.name));
    ours
}
