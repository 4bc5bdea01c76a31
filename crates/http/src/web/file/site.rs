//! What a file says of one directory that is served, in the shapes of the file, and what
//! becomes of it.

use super::period;
use crate::files::{CacheRule, Links, Options, Types};
use crate::web::config::SiteConfig;
use crate::web::cors::Cors;
use crate::web::lines::Lines;
use crate::web::proof::Pair;
use crate::web::redirect::{Redirect, RedirectError, endless};
use crate::web::users::Users;
use crate::yaml::{Wrong, at};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SiteFile {
    #[serde(default)]
    hosts: Vec<String>,
    tls: Option<PairFile>,
    directory: Spanned<PathBuf>,
    #[serde(default)]
    links: Follow,
    index: Option<Vec<String>>,
    #[serde(default)]
    listing: bool,
    #[serde(default)]
    hidden: bool,
    precompressed: Option<bool>,
    compress: Option<bool>,
    spa: Option<Spanned<String>>,
    #[serde(default)]
    error_pages: BTreeMap<u16, Spanned<String>>,
    #[serde(default)]
    cache: Vec<CacheFile>,
    cache_control: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    types: BTreeMap<String, String>,
    #[serde(default)]
    redirects: Vec<Spanned<RedirectFile>>,
    #[serde(default, deserialize_with = "even_nothing")]
    users: Option<Spanned<Option<BTreeMap<String, String>>>>,
    realm: Option<String>,
    cors: Option<Spanned<CorsFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PairFile {
    certificate: Spanned<PathBuf>,
    key: Spanned<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum Follow {
    #[default]
    Inside,
    Never,
    Anywhere,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CacheFile {
    pattern: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedirectFile {
    from: String,
    to: String,
    /// A browser does not remember it for ever, so that a mistake can be mended.
    #[serde(default = "found")]
    status: u16,
}

fn found() -> u16 {
    302
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CorsFile {
    origins: Vec<String>,
    #[serde(default)]
    headers: Vec<String>,
    max_age: Option<Spanned<String>>,
}

/// What is said, be it nothing: `users:` with nobody behind it is no `users` left out.
fn even_nothing<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// How long a browser may keep an answer about origins, unless it is said.
const CORS_AGE: Duration = Duration::from_secs(600);

impl SiteFile {
    /// The lines of what it names are noted in `lines`.
    pub(super) fn site(self, folder: &Path, lines: &mut Lines) -> Result<SiteConfig, Wrong> {
        let defaults = SiteConfig::new(lines.note(folder, &self.directory));
        for page in self.spa.iter().chain(self.error_pages.values()) {
            lines.note_page(&defaults.directory, page);
        }
        let users = match &self.users {
            Some(users) => {
                let pairs = users.value.iter().flatten();
                let pairs = pairs.map(|(name, password)| (name.as_str(), password.as_str()));
                at(users.referenced, Users::new(pairs))?
            }
            None => Users::default(),
        };
        let redirects = self.redirects.iter().map(|redirect| {
            let RedirectFile { from, to, status } = &redirect.value;
            let read = Redirect {
                from: from.clone(),
                to: to.clone(),
                status: *status,
            };
            at(redirect.referenced, read.check()).map(|()| read)
        });
        let redirects: Vec<_> = redirects.collect::<Result<_, _>>()?;
        if let Some(first) = endless(&redirects) {
            let from = redirects[first].from.clone();
            at(
                self.redirects[first].referenced,
                Err(RedirectError::Endless(from)),
            )?;
        }
        Ok(SiteConfig {
            hosts: self.hosts,
            certificate: self.tls.map(|pair| Pair {
                certificate: lines.note(folder, &pair.certificate),
                key: lines.note(folder, &pair.key),
            }),
            links: match self.links {
                Follow::Inside => Links::Inside,
                Follow::Never => Links::Refused,
                Follow::Anywhere => Links::Anywhere,
            },
            redirects,
            users,
            realm: self.realm.unwrap_or(defaults.realm),
            cors: self.cors.map(CorsFile::cors).transpose()?,
            options: Options {
                index: self.index.unwrap_or(defaults.options.index),
                listing: self.listing,
                dotfiles: self.hidden,
                precompressed: self.precompressed.unwrap_or(defaults.options.precompressed),
                compress: self.compress.unwrap_or(defaults.options.compress),
                fallback: self.spa.map(|page| page.value),
                error_pages: self
                    .error_pages
                    .into_iter()
                    .map(|(status, page)| (status, page.value))
                    .collect(),
                cache_rules: self.cache.into_iter().map(CacheFile::rule).collect(),
                cache_control: self.cache_control.or(defaults.options.cache_control),
                types: Types::new(self.types),
                extra_fields: self.headers.into_iter().collect(),
                ..Options::default()
            },
            directory: defaults.directory,
        })
    }
}

impl CacheFile {
    fn rule(self) -> CacheRule {
        CacheRule {
            pattern: self.pattern,
            value: self.value,
        }
    }
}

impl CorsFile {
    fn cors(file: Spanned<Self>) -> Result<Cors, Wrong> {
        let place = file.referenced;
        let max_age = file.value.max_age.as_ref().map(period).transpose()?;
        let cors = Cors {
            origins: file.value.origins,
            headers: file.value.headers,
            max_age: max_age.unwrap_or(CORS_AGE),
        };
        at(place, cors.check())?;
        Ok(cors)
    }
}
