//! The closed lists of Chef's stages and phases.

use crate::closed::closed_list;

closed_list!(
    /// One kind of work inside a stage.
    Phase {
        Unit = "unit", Lint = "lint", Syntax = "syntax", Quality = "quality", Security = "security",
        Publish = "publish", Provision = "provision", Deploy = "deploy", Smoke = "smoke", Functional = "functional",
    }
);

closed_list!(
    /// One step of a change's way through its pipeline.
    Stage {
        Verify = "verify", Build = "build", Acceptance = "acceptance",
        Union = "union", Rehearsal = "rehearsal", Delivered = "delivered",
    }
);
