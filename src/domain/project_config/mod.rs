//! The project configuration `config.json`.
