//! Addresses of names, each judged before it is used.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use orrery_workers::egress::{EgressError, Policy, Refusal};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Addresses of one name that are looked at.
const ADDRESSES_MAX: usize = 16;

/// Knows the addresses of names.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The addresses of a name.
    ///
    /// Errors: those of asking for them.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks as the operating system does.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Those addresses of a name that may be reached, at least one.
///
/// Errors: [`EgressError::Refused`] if none of them may; a name that has none.
pub(crate) async fn admitted(policy: &Policy, resolver: &dyn Resolver, host: &str) -> Result<Vec<IpAddr>, EgressError> {
    let unknown = || EgressError::Broken(format!("the name {host} has no address"));
    let all = resolver.resolve(host).await.map_err(|_| unknown())?;
    let (mut good, mut refused) = (Vec::new(), None);
    for address in all.into_iter().take(ADDRESSES_MAX) {
        match policy.admit_address(host, address) {
            Ok(()) => good.push(address),
            Err(refusal) => refused = Some(refusal),
        }
    }
    match (good.is_empty(), refused) {
        (false, _) => Ok(good),
        (true, Some(refusal)) => Err(refusal.into()),
        (true, None) => Err(unknown()),
    }
}

/// Gives the HTTP client the addresses that may be reached, so that it connects to no other.
pub(crate) struct Judging {
    pub policy: Arc<Policy>,
    pub resolver: Arc<dyn Resolver>,
}

impl Resolve for Judging {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, resolver) = (self.policy.clone(), self.resolver.clone());
        Box::pin(async move {
            let found = admitted(&policy, &*resolver, name.as_str()).await?;
            // the port is that of the request
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// What the resolver said, if that is why a request failed.
pub(crate) fn said(error: &(dyn std::error::Error + 'static)) -> Option<EgressError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(said) = error.downcast_ref::<EgressError>() {
            return Some(said.clone());
        }
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return Some(refusal.clone().into());
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<IpAddr>);

    #[async_trait]
    impl Resolver for Fixed {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(self.0.clone())
        }
    }

    #[tokio::test]
    async fn of_many_addresses_those_are_left_that_may_be_reached() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let of = async |all: &[&str]| {
            let resolver = Fixed(all.iter().map(|text| address(text)).collect());
            admitted(&Policy::default(), &resolver, "x.example").await
        };
        assert_eq!(of(&["10.0.0.1", "93.184.216.34"]).await, Ok(vec![address("93.184.216.34")]));
        let refused = Err(Refusal::Address("x.example".into()).into());
        assert_eq!(of(&["169.254.169.254", "::1"]).await, refused);
        assert!(matches!(of(&[]).await, Err(EgressError::Broken(_))));
    }
}
