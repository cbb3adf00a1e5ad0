//! Addresses, read and written as browsers do.

use rquickjs::{Array, Result, Value};
use url::{Url, form_urlencoded, quirks};

use super::Given;

/// The parts of an address, in the order in which the script of `URL` takes them.
fn parts<'js>(given: &Given<'_, 'js>, url: &Url) -> Result<Value<'js>> {
    let origin = quirks::origin(url);
    let parts = [
        quirks::href(url),
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url),
        &origin,
    ];
    let array = Array::new(given.ctx.clone())?;
    for (place, part) in parts.into_iter().enumerate() {
        array.set(place, part)?;
    }
    Ok(array.into_value())
}

/// `url(text, base)`: parts, or `undefined` if it is no address.
pub(super) fn url<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let text = given.text(0)?;
    let url = if given.value(1).is_undefined() {
        Url::parse(&text)
    } else {
        Url::parse(&given.text(1)?).and_then(|base| base.join(&text))
    };
    url.map_or_else(|_| given.undefined(), |url| parts(given, &url))
}

/// `urlWith(href, part, value)`: parts; a value that cannot be leaves them as they are.
pub(super) fn url_with<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let Ok(mut url) = Url::parse(&given.text(0)?) else { return given.undefined() };
    let (part, value) = (given.text(1)?, given.text(2)?);
    // a setter that refuses a value changes nothing, and nobody is told
    let _ = match part.as_str() {
        "href" => match Url::parse(&value) {
            Ok(other) => {
                url = other;
                Ok(())
            }
            Err(_) => return given.undefined(),
        },
        "protocol" => quirks::set_protocol(&mut url, &value),
        "username" => quirks::set_username(&mut url, &value),
        "password" => quirks::set_password(&mut url, &value),
        "host" => quirks::set_host(&mut url, &value),
        "hostname" => quirks::set_hostname(&mut url, &value),
        "port" => quirks::set_port(&mut url, &value),
        "pathname" => {
            quirks::set_pathname(&mut url, &value);
            Ok(())
        }
        "search" => {
            quirks::set_search(&mut url, &value);
            Ok(())
        }
        "hash" => {
            quirks::set_hash(&mut url, &value);
            Ok(())
        }
        _ => Err(()),
    };
    parts(given, &url)
}

/// `query(text)`: names and values by turns.
pub(super) fn query<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let array = Array::new(given.ctx.clone())?;
    let text = given.text(0)?;
    for (place, (name, value)) in form_urlencoded::parse(text.as_bytes()).enumerate() {
        array.set(place * 2, name.as_ref())?;
        array.set(place * 2 + 1, value.as_ref())?;
    }
    Ok(array.into_value())
}

/// `queryText(names and values by turns)`
pub(super) fn query_text<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let mut text = form_urlencoded::Serializer::new(String::new());
    let list = given.value(0);
    let all: Vec<String> =
        list.as_array().map(|array| array.iter().collect::<Result<_>>()).transpose()?.unwrap_or_default();
    for pair in all.chunks_exact(2) {
        if let [name, value] = pair {
            text.append_pair(name, value);
        }
    }
    given.give(text.finish())
}
