//! A server, from its address to its end.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use socket2::SockRef;
use watershed_runtime::JobHandle;
use watershed_runtime::cluster::{Depots, NodeHandle};

use crate::config::{Access, ServerConfig};
use crate::error::ServerError;
use crate::{gate, routes};

/// The HTTP interface of a node that listens already and answers once it [serves](Server::serve). So its address is
/// known before the node is up, and can be told to others.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    config: ServerConfig,
}

/// A job that runs in this process alone.
pub(crate) struct OneJob {
    pub(crate) name: String,
    pub(crate) job: JobHandle,
}

/// How long a token is at least.
const TOKEN_BYTES_MIN: usize = 16;

impl Server {
    /// Listens.
    ///
    /// # Errors
    ///
    /// Where the address is in use, or is reached from elsewhere and nobody has said who may use it.
    pub fn bind(config: ServerConfig) -> Result<Server, ServerError> {
        let address = config.listen;
        match &config.access {
            Access::Loopback if !address.ip().is_loopback() => {
                return Err(ServerError::NotLoopback { address });
            }
            Access::Token(token) if token.len() < TOKEN_BYTES_MIN => {
                return Err(ServerError::Token { bytes: token.len(), min: TOKEN_BYTES_MIN });
            }
            Access::Loopback | Access::Token(_) | Access::Open => {}
        }
        let failed = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        // The HTTP library waits for ever for whoever does not read. What is accepted inherits the option.
        SockRef::from(&listener).set_tcp_user_timeout(Some(config.taken_within)).map_err(failed)?;
        Ok(Server { listener, address, config })
    }

    /// The address that is really listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for a node from now on, on threads of its own, until the actor system of this thread ends.
    ///
    /// # Errors
    ///
    /// Where the system takes no more threads or listeners.
    pub fn serve(self, node: NodeHandle, depots: Depots) -> Result<(), ServerError> {
        let (node, depots) = (web::Data::new(node), web::Data::new(depots));
        self.answer(move |app| {
            app.app_data(node.clone()).app_data(depots.clone());
            routes::lay(app);
        })
    }

    /// Tells of a job that runs in this process alone, from now on and as [`serve`](Server::serve) does: what is counted,
    /// and that it is there. It is asked for its state, and to end, by its state directory.
    ///
    /// # Errors
    ///
    /// As [`serve`](Server::serve).
    pub fn serve_job(self, name: &str, job: JobHandle) -> Result<(), ServerError> {
        let job = web::Data::new(OneJob { name: name.to_owned(), job });
        self.answer(move |app| {
            app.app_data(job.clone());
            routes::lay_for_job(app);
        })
    }

    fn answer(
        self,
        lay: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> Result<(), ServerError> {
        let Server { listener, address, config } = self;
        let shared = web::Data::new(config.clone());
        let app =
            move || App::new().app_data(shared.clone()).wrap(from_fn(gate::pass)).configure(lay.clone());
        let server = HttpServer::new(app)
            .workers(config.workers)
            .max_connections(config.connections_max)
            .backlog(config.backlog)
            .client_request_timeout(config.head_within)
            .client_disconnect_timeout(config.close_within)
            .keep_alive(config.keep_alive)
            .shutdown_timeout(Duration::as_secs(&config.close_within))
            .disable_signals()
            .listen(listener)
            .map_err(|source| ServerError::Listen { address, source })?;
        actix_rt::spawn(async move {
            if let Err(error) = server.run().await {
                tracing::error!(%error, "the HTTP interface has ended");
            }
        });
        Ok(())
    }
}
