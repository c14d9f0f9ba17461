//! Why a command that writes to a service ended without success.

use std::process::ExitCode;

use super::fastly_api::{ApiError, PlaceError};
use super::printer;

/// Why a command ended without success.
pub(super) enum Failure {
    /// Exit code 2: the call was wrong.
    Usage(String),
    /// Exit code 1: it was refused. Findings are printed already.
    Refused(String),
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<PlaceError> for Failure {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Call(message) => Self::Usage(message),
            PlaceError::Api(error) => error.into(),
        }
    }
}

/// The exit code of a command; prints why it failed.
pub(super) fn exit_code(result: Result<(), Failure>) -> ExitCode {
    let (message, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => (message, ExitCode::from(2)),
        Err(Failure::Refused(message)) => (message, ExitCode::FAILURE),
    };
    printer::error(message);
    code
}
