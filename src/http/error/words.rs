//! The stable words of error answers, for the document of the API: each with its status and what it means.

use axum::http::StatusCode;

macro_rules! error_words {
    ($($name:ident = $word:literal $status:ident $meaning:literal,)+) => {
        /// The word under `error` in an answer that is not a success.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(in crate::http) enum ErrorWord { $($name),+ }

        impl ErrorWord {
            pub(in crate::http) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            pub(in crate::http) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),+ }
            }

            /// When it is answered: a half sentence.
            pub(in crate::http) const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),+ }
            }
        }
    };
}

error_words! {
    BadRequest = "bad_request" BAD_REQUEST "a piece of the request is wrong; `path` says which, `allowed` what would be right",
    BadConfig = "bad_config" BAD_REQUEST "the configuration has faults; `faults` lists all of them",
    CutOff = "cut_off" BAD_REQUEST "the upload ended too early",
    TokenDenied = "token_denied" UNAUTHORIZED "the request carries no valid token",
    TokenMalformed = "token_malformed" UNAUTHORIZED "this is not a whole enrolment token",
    TokenExpired = "token_expired" UNAUTHORIZED "the token has expired",
    TokenRevoked = "token_revoked" UNAUTHORIZED "the token was revoked",
    TokenSpent = "token_used" UNAUTHORIZED "the enrolment token was used already",
    Unauthorized = "unauthorized" UNAUTHORIZED "user name or password is wrong, or the token is another user's",
    Forbidden = "forbidden" FORBIDDEN "the token may not do this; there is no body",
    WrongNetwork = "wrong_network" FORBIDDEN "the enrolment token is for another network",
    WrongName = "wrong_name" FORBIDDEN "the enrolment token is for another host name",
    NotFound = "not_found" NOT_FOUND "there is no such thing",
    NoEnrolment = "no_enrolment" NOT_FOUND "this enrolment is not known here",
    InvalidRoute = "invalid_route" NOT_FOUND "there is no such route",
    MethodNotAllowed = "method_not_allowed" METHOD_NOT_ALLOWED "the route does not know the method; `Allow` lists those it knows",
    TooSlow = "too_slow" REQUEST_TIMEOUT "the body did not arrive in time",
    Raced = "raced" CONFLICT "somebody else changed it meanwhile; look and try again",
    Conflict = "conflict" CONFLICT "the name is taken",
    StillRunning = "still_running" CONFLICT "it has not ended",
    TokenUsed = "token_used" CONFLICT "the enrolment token was used",
    InUse = "in_use" CONFLICT "others are reached through it",
    DialOutOff = "dial_out_off" CONFLICT "this server has no endpoint for hosts that dial out",
    RunnerBusy = "runner_busy" CONFLICT "the runner has jobs",
    LocalRunner = "local_runner" CONFLICT "the runner is the server's own machine, or its name is kept for that",
    NameTaken = "name_taken" CONFLICT "there is already a runner of this name",
    HostTaken = "host_taken" CONFLICT "this host is already a runner",
    OtherVersion = "other_version" CONFLICT "the host's script is of another version",
    LastAdmin = "last_admin" CONFLICT "nobody would be left who is an admin",
    FileToken = "file_token" CONFLICT "the token is that of the server's file",
    NoPassword = "no_password" CONFLICT "the user has no password that could be changed",
    KeyInUse = "idempotency_key_in_use" CONFLICT "the first request with the key is still being carried out",
    UnderWay = "under_way" CONFLICT "a bootstrap or removal of this host is under way",
    Gone = "gone" GONE "what an earlier request with this `Idempotency-Key` has made is no longer there",
    Removed = "removed" GONE "retention has removed it",
    PreconditionFailed = "precondition_failed" PRECONDITION_FAILED "it is not allowed in its present state",
    TooLarge = "too_large" PAYLOAD_TOO_LARGE "the body is too large",
    WorkspaceTooLarge = "workspace_too_large" PAYLOAD_TOO_LARGE "the tree is too large",
    CompressedTooMuch = "compressed_too_much" PAYLOAD_TOO_LARGE "the upload unpacks to more than it may",
    ScriptTooLarge = "script_too_large" PAYLOAD_TOO_LARGE "the script is longer than the project's may be",
    BadRange = "bad_range" RANGE_NOT_SATISFIABLE "nothing of the range is kept, or it begins behind the end",
    BadWorkspace = "bad_workspace" UNPROCESSABLE_ENTITY "the manifest is not one",
    OtherDigest = "other_digest" UNPROCESSABLE_ENTITY "the bytes have another digest than was said",
    NotAsked = "not_asked" UNPROCESSABLE_ENTITY "the upload holds a file that the manifest does not name",
    BadBundle = "bad_bundle" UNPROCESSABLE_ENTITY "the upload is no bundle of files",
    TooManyTries = "too_many_tries" TOO_MANY_REQUESTS "too many wrong tokens came from this address, or too many hosts enrol",
    TooManyRequests = "too_many_requests" TOO_MANY_REQUESTS "more requests than are taken from one caller; `Retry-After` says when the next is",
    TooManyStreams = "too_many_streams" TOO_MANY_REQUESTS "the caller has as many event streams open as it may have",
    QueueFull = "queue_full" TOO_MANY_REQUESTS "the project has as many unfinished jobs as it may have",
    Crowded = "crowded" TOO_MANY_REQUESTS "too many logins at the same time",
    KeyReused = "idempotency_key_reused" UNPROCESSABLE_ENTITY "the `Idempotency-Key` is that of another request",
    MatrixTooLarge = "matrix_too_large" UNPROCESSABLE_ENTITY "the phase has more rows than the project's may have",
    LogTooLarge = "log_too_large" UNPROCESSABLE_ENTITY "the job asks to keep more output than the project's may",
    InternalError = "internal_error" INTERNAL_SERVER_ERROR "the server could not do this; its log says why under the request's id",
    StepFailed = "step_failed" BAD_GATEWAY "a step on the runner's host failed",
    RunnerUnreachable = "runner_unreachable" BAD_GATEWAY "the runner's host cannot be reached",
    TooManyConnections = "too_many_connections" SERVICE_UNAVAILABLE "the server has as many connections as it takes",
    NotReady = "not_ready" SERVICE_UNAVAILABLE "the server stops, or its engine or its store does not answer",
    StoreFull = "store_full" INSUFFICIENT_STORAGE "the store of workspaces is full",
    DiskFull = "disk_full" INSUFFICIENT_STORAGE "the server's disk is full",
}
