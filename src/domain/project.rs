//! A project's life. The system finishes none: it is put before the operator, who approves or sends it back.

use super::ProjectId;
use super::words::words;

words!(
    /// Where a project stands.
    ProjectState {
        /// Work goes on.
        Active = "active",
        /// Its work is said to be done; the operator looks.
        PendingApproval = "pending_approval",
        /// Closed by the operator.
        Approved = "approved",
        /// Sent back with a reason; work goes on.
        Rejected = "rejected",
    }
);

impl ProjectState {
    /// True where a project may go from here to there.
    pub fn allows(self, to: ProjectState) -> bool {
        use ProjectState::*;
        match self {
            Active => to == PendingApproval,
            Rejected => matches!(to, PendingApproval | Active),
            PendingApproval => matches!(to, Approved | Rejected),
            Approved => to == Active,
        }
    }

    /// What can be done with it, for a refusal.
    pub fn next_step(self, id: ProjectId) -> String {
        match self {
            ProjectState::Active => format!("`orc project submit {id}` puts it before the operator"),
            ProjectState::PendingApproval => format!("`orc project approve {id}` or `orc project reject {id} --reason R`"),
            ProjectState::Approved => format!("`orc project reopen {id}` takes it up again"),
            ProjectState::Rejected => format!("`orc project submit {id}` puts it before the operator again"),
        }
    }

    /// What has been done to a project that is there now.
    pub fn told(self) -> &'static str {
        match self {
            ProjectState::Active => "taken up again",
            ProjectState::PendingApproval => "waits for approval",
            ProjectState::Approved => "approved",
            ProjectState::Rejected => "sent back",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_from_before_the_operator_can_a_project_be_approved() {
        let mut table = String::new();
        for from in ProjectState::ALL {
            let to: Vec<_> = ProjectState::ALL.iter().filter(|to| from.allows(**to)).map(|s| s.as_str()).collect();
            table += &format!("{from}: {}\n", to.join(" "));
        }
        assert_eq!(
            table,
            "active: pending_approval\npending_approval: approved rejected\napproved: active\nrejected: active pending_approval\n"
        );
    }
}
