//! Damaged WebSocket frames: messages or an error that names its close code, the same however the bytes come.

use orrery_realtime::{Decoder, FrameError, Message};
use orrery_testkit::fuzz::{Case, cases, websocket_streams};

const MESSAGE_BYTES_MAX: usize = 65_536;

fn read(bytes: &[u8], step: usize) -> (Vec<Message>, Option<FrameError>) {
    let (mut decoder, mut messages) = (Decoder::new(MESSAGE_BYTES_MAX), Vec::new());
    for chunk in bytes.chunks(step) {
        decoder.feed(chunk);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

fn len(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
        Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(close) => close.as_ref().map_or(0, |close| close.reason.len() + 2),
    }
}

#[test]
fn damaged_frames_are_read_or_refused() {
    let corpus = websocket_streams(&[
        r#"{"type":"message","action":"send","data":{"content":"grüße","channel":"main","metadata":{"sequence":7}}}"#,
        r#"{"method":"subscribe","channel":"testnet.runtime"}"#,
        "",
    ]);
    let (mut whole, mut refused) = (0, 0);
    for number in 0..cases(4_000) {
        let mut case = Case::new(number);
        let bytes = case.mutant(&corpus);
        let step = 1 + case.below(5_000);
        let (messages, error) = read(&bytes, step);
        assert!(messages.iter().map(len).sum::<usize>() <= bytes.len(), "more came out than went in");
        assert!(messages.iter().all(|message| len(message) <= MESSAGE_BYTES_MAX));
        if let Some(error) = error {
            assert!(matches!(error.code(), 1002 | 1007 | 1009), "{error}");
            refused += 1;
        }
        whole += usize::from(!messages.is_empty());
        assert_eq!((messages, error), read(&bytes, bytes.len().max(1)));
    }
    assert!(whole.min(refused) > 100, "the cases are of one kind: {whole} read, {refused} refused");
}
