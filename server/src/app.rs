//! What all tasks of the process share.

use std::sync::Arc;
use std::time::Duration;

use media_core::engine::Engine;

use crate::catalogue::Catalogue;
use crate::config::{Config, PublicUrl};
use crate::http::Metrics;
use crate::identity::Identity;
use crate::images::Images;
use crate::links::{Behind, Links};
use crate::recording::Recordings;
use crate::secret_file;
use crate::shutdown::Shutdown;
use crate::storage::{Storage, UnixMs};
use crate::tls::Tls;
use crate::tokens::Tokens;
use crate::webhooks::Webhooks;
use crate::wiring::{HttpCalls, MediaRoutes, Registry};

/// Name of this server on the wire; browsers echo it in calls about a leg.
pub(crate) const NODE: &str = "node-1";

/// Made once at start; tasks hold it by `Arc`.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) public_url: PublicUrl,
    /// `None`: plain HTTP.
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) tokens: Tokens,
    pub(crate) identity: Identity,
    pub(crate) storage: Storage,
    pub(crate) webhooks: Webhooks,
    pub(crate) catalogue: Catalogue,
    pub(crate) engine: Engine,
    pub(crate) media_routes: Arc<MediaRoutes>,
    pub(crate) recordings: Recordings,
    pub(crate) preview_links: Links,
    pub(crate) images: Images,
    pub(crate) registry: Registry,
    pub(crate) http_calls: HttpCalls,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) shutdown: Shutdown,
}

impl App {
    /// Opens the key and the database, binds the media ports, starts the media threads.
    pub(crate) async fn start(
        config: Config,
        public_url: PublicUrl,
    ) -> Result<Arc<Self>, Box<dyn std::error::Error>> {
        let tls =
            config.tls.as_ref().map(|files| Tls::open(files, config.public_host().as_deref())).transpose()?;
        let tokens = Tokens::open(&config.tokens, &config.project.id)?;
        let identity = Identity::open(&config.data_dir)?;
        let metrics = Arc::new(Metrics::new()?);
        let storage = Storage::open(config.storage.place.clone(), Arc::clone(&metrics)).await?;
        if let Some(time) = config.storage.keep {
            storage.keep_for(time);
        }
        if let Some((_, certificate)) = &tls {
            metrics.tls_expiry.set(certificate.not_after);
            certificate.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        }
        let media_routes = Arc::new(MediaRoutes::new(Arc::clone(&metrics)));
        let routes = Arc::clone(&media_routes);
        let engine = Engine::start(config.media.clone(), move |event| routes.deliver(event))?;
        let recordings = Recordings::open(&config.data_dir, config.recording.clone(), Arc::clone(&metrics))?;
        let secret = secret_file::open_or_make(&config.data_dir.join("previews.key"))?;
        let preview_links = Links::new(&secret, Behind::Preview);
        let images = Images::open(&config.data_dir)?;
        let webhooks = Webhooks::new(&config.webhooks)?;
        let shutdown = Shutdown::new();
        webhooks.start(&storage.outbox(), &config.egress, &metrics, &shutdown);
        Ok(Arc::new(Self {
            tokens,
            identity,
            catalogue: Catalogue::load(storage.clone(), config.layouts.clone()).await?,
            storage,
            recordings,
            preview_links,
            images,
            webhooks,
            registry: Registry::new(&config),
            http_calls: HttpCalls::new(config.max_connections as usize),
            config,
            public_url,
            tls: tls.map(|(tls, _)| Arc::new(tls)),
            engine,
            media_routes,
            metrics,
            shutdown,
        }))
    }
    /// The link to a small picture of a running room session, good for so long.
    pub(crate) fn preview_url(&self, room_session: &str, good_for: Duration) -> String {
        let now = u64::try_from(UnixMs::now().0 / 1000).unwrap_or(0);
        let path = self.preview_links.path(room_session, now.saturating_add(good_for.as_secs()));
        format!("{}{path}", self.public_url.http())
    }
}
