//! Child processes that never outlive the process that started them.
//!
//! One guard process watches over all children of this process: a shell script that is told each child's process
//! group and reads from a pipe whose other end only we hold. When we are gone, by whatever way, the pipe ends; the
//! guard kills the groups it knows and removes the [scratch root](crate::scratch). (The kernel's parent-death signal
//! would not do: it follows the spawning *thread*, and test threads end early.)
//!
//! A child starts behind a gate, a shell that waits for one line on its input before it becomes the program. The line
//! is sent after the guard knows the child, so there is no moment in which a kill of ours would leave it behind.

mod child;
mod guard;

pub(crate) use guard::start_guard;

pub use child::{Child, Launch, log_tail};
pub use rustix::process::Signal;
