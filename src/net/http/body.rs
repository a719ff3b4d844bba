//! Reading bytes into a growing buffer, so that giving up in the middle loses none.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use smol::io::AsyncRead;

/// Appends at most `most` bytes of `stream` to `buffer` and tells how many came; 0 at the end. Dropping the future
/// before it is ready takes nothing from the stream.
pub(crate) async fn fill<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    poll_fn(|context| {
        let start = buffer.len();
        buffer.resize(start + most, 0);
        let polled = Pin::new(&mut *stream).poll_read(context, &mut buffer[start..]);
        let came = match &polled {
            Poll::Ready(Ok(n)) => *n,
            _ => 0,
        };
        buffer.truncate(start + came);
        polled
    })
    .await
}
