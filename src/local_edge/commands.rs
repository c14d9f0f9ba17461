//! Commands on standard input, one a line, from the process that started the local edge. When its end of the pipe is
//! closed, because it ended, the local edge ends as well.

use std::io::BufRead;
use std::sync::{Arc, Mutex};

use crate::guest::Guest;
use crate::server::LocalEdge;

/// Carries out the commands on standard input, in a thread of its own. Each is followed by one line on standard output:
/// `reloaded`, or `not reloaded: ` and the cause.
pub(crate) fn obey(guest: Guest, edge: Arc<LocalEdge>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match line.trim() {
                "reload" => reload(&guest, &edge),
                other => eprintln!("unknown command {other:?}: write `reload`"),
            }
        }
        std::process::exit(0);
    });
}

fn reload(guest: &Guest, edge: &LocalEdge) {
    match guest.start(Arc::new(Mutex::new(std::io::stdout()))) {
        Ok(context) => {
            edge.replace(context);
            println!("reloaded");
        }
        Err(error) => println!("not reloaded: {}", error.to_string().replace('\n', " ")),
    }
}
