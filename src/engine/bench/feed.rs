//! Requests made ready ahead of time, on a thread of their own: a prompt of 100,000 tokens takes a millisecond to
//! write, which no stream's bytes should wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use crossbeam_channel::Receiver;

use super::World;
use crate::domain::conversation::{Attachment, ChatRequest, Image, Message, Params, Role};
use crate::domain::dialect::Dialect;
use crate::domain::failure::Failure;
use crate::domain::plan::Images;
use crate::domain::run::known::ImagesBrief;
use crate::metrics::request::Phase;
use crate::prompts::schedule::Schedule;
use crate::prompts::{Opening, PromptSource, pictures};
use crate::wire::openai::{self, BodyForm};
use crate::wire::refusal;
use crate::wire::worker::{Counting, Share};

/// At most so many bytes of requests wait to be sent.
const MOST_WAITING: usize = 32 << 20;

/// A conversation that only needs to be sent.
pub(super) struct Prepared {
    /// The index of its first request; each later turn has the next.
    pub(super) index: u64,
    /// Its turns.
    pub(super) requests: u64,
    pub(super) phase: Phase,
    /// From the level's beginning; `None` in a closed loop.
    pub(super) due: Option<Duration>,
    /// The first request as it goes over the wire.
    pub(super) request: Bytes,
    /// Its last message, where what is said is wanted.
    pub(super) prompt: Option<String>,
    /// [`Dialects::version`](crate::io::api::Dialects::version) as it was written.
    pub(super) version: u64,
    /// What it takes to write the later turns; `None` for a single request.
    pub(super) turns: Option<Box<Turns>>,
    pub(super) wanted_prompt_tokens: Option<u32>,
}

/// The later turns of a conversation.
pub(super) struct Turns {
    chat: ChatRequest,
    ignore_eos: bool,
    later: std::vec::IntoIter<Vec<Message>>,
}

impl Turns {
    fn after(
        chat: ChatRequest,
        ignore_eos: bool,
        later: std::vec::IntoIter<Vec<Message>>,
    ) -> Box<Self> {
        Box::new(Self {
            chat,
            ignore_eos,
            later,
        })
    }

    /// The request of the next turn, after `answer`, and what it says where that is wanted; `None` when there is
    /// no further turn.
    pub(super) fn next(
        &mut self,
        answer: String,
        index: u64,
        world: &World,
    ) -> Option<(Bytes, Option<String>)> {
        let turn = self.later.next()?;
        self.chat
            .messages
            .push(Message::new(Role::Assistant, answer));
        self.chat.messages.extend(turn);
        let dialect = world.api.dialects().of(&self.chat.model);
        let form = form(self.ignore_eos, dialect, world);
        let request = Writer::default().request(&self.chat, form, index, world);
        Some((request, said(&self.chat, world)))
    }
}

fn form(ignore_eos: bool, dialect: Dialect, world: &World) -> BodyForm {
    BodyForm {
        endpoint: world.api.endpoint(),
        ignore_eos,
        dialect,
    }
}

/// To the model last, where that is wanted.
fn said(chat: &ChatRequest, world: &World) -> Option<String> {
    world.texts.then(|| {
        chat.messages
            .last()
            .map(|message| message.content.clone())
            .unwrap_or_default()
    })
}

/// With so many requests ahead, a millisecond's pause leaves nobody waiting.
const ENOUGH: usize = 256;

/// What requests a level is to be given.
pub(super) struct Order {
    pub(super) source: PromptSource,
    pub(super) model: String,
    pub(super) params: Params,
    pub(super) ignore_eos: bool,
    /// Of each request, drawn by this seed.
    pub(super) images: Option<(Images, u64)>,
    /// What they are sent for.
    pub(super) phase: Phase,
    /// Requests of all shares together; `None` for as many as are taken.
    pub(super) requests: Option<u64>,
    /// Which of its conversations are made here.
    pub(super) share: Share,
    pub(super) schedule: Option<Schedule>,
    /// Each follows a trace's entry.
    pub(super) traced: bool,
    /// So many requests may be asked for at once.
    pub(super) ahead: usize,
    /// About how large a request is.
    pub(super) bytes_each: usize,
}

impl Order {
    /// Puts the images of the request with this index into its question.
    fn add_images(&self, messages: &mut [Message], index: u64, counters: &Counters) {
        let question = messages.iter_mut().rfind(|it| it.role == Role::User);
        if let (Some((images, seed)), Some(question)) = (self.images, question) {
            question.attachments = pictures::of_request(images, seed, index);
            counters.count(&question.attachments);
        }
    }
}

/// Where the session's counting stands; the next level goes on from there.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Requests.
    pub(super) index: AtomicU64,
    /// Conversations: no two of a session are alike.
    pub(super) conversation: AtomicU64,
    /// Images that were made, some of them ahead and never sent.
    pub(super) images: AtomicU64,
    /// Bytes of their files.
    pub(super) image_bytes: AtomicU64,
}

impl Counters {
    /// The number of the next conversation, the level's `entry`-th.
    fn next(&self, order: &Order, entry: u64) -> u64 {
        // A trace's entries are taken in its own order; everything else goes on through the session.
        if order.traced {
            entry
        } else {
            self.conversation.fetch_add(1, Ordering::Relaxed)
        }
    }

    /// Goes on from there, unless it has counted further.
    pub(super) fn go_on_from(&self, from: Counting) {
        self.index.fetch_max(from.requests, Ordering::Relaxed);
        self.conversation
            .fetch_max(from.conversations, Ordering::Relaxed);
    }

    /// Where it stands.
    pub(super) fn counting(&self) -> Counting {
        Counting {
            requests: self.index.load(Ordering::Relaxed),
            conversations: self.conversation.load(Ordering::Relaxed),
        }
    }

    /// The images so far.
    pub(super) fn images_brief(&self) -> ImagesBrief {
        let made = self.images.load(Ordering::Relaxed);
        let bytes = self.image_bytes.load(Ordering::Relaxed) as f64;
        ImagesBrief {
            made,
            bytes: (made > 0).then(|| bytes / made as f64),
        }
    }

    /// Counts the images of a request.
    fn count(&self, images: &[Attachment]) {
        let bytes: usize = images
            .iter()
            .filter_map(Attachment::image)
            .map(Image::size)
            .sum();
        self.images
            .fetch_add(images.len() as u64, Ordering::Relaxed);
        self.image_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Begins to make requests; it ends when all are made or nobody takes any more.
pub(super) fn start(
    mut order: Order,
    counters: Arc<Counters>,
    world: Arc<World>,
) -> Result<Receiver<Prepared>, Failure> {
    let most = (MOST_WAITING / order.bytes_each.max(256)).clamp(2, order.ahead.max(8));
    let (sender, receiver) = crossbeam_channel::bounded(most);
    let work = move || {
        let mut schedule = order.schedule.take();
        let mut writer = Writer::default();
        let (mut made, mut conversations) = (0u64, 0u64);
        loop {
            let left = order
                .requests
                .map_or(u64::MAX, |most| most.saturating_sub(made));
            if left == 0 {
                return;
            }
            let due = schedule.as_mut().map(Schedule::due);
            if due == Some(None) {
                return;
            }
            if !order.share.has(conversations) {
                made += pass_over(&order, &counters, conversations, left);
                conversations += 1;
                continue;
            }
            let next = Next {
                entry: conversations,
                left,
                due: due.flatten(),
            };
            let prepared = prepare(&order, &counters, &world, &mut writer, next);
            let Some(prepared) = prepared else { return };
            made += prepared.requests;
            conversations += 1;
            if most >= ENOUGH && sender.is_full() {
                // Waking up for each request that is taken would take the workers' time.
                thread::sleep(Duration::from_millis(1));
            }
            if sender.send(prepared).is_err() {
                return;
            }
        }
    };
    let thread = thread::Builder::new()
        .name("bench-prompts".to_owned())
        .spawn(work);
    thread.map(|_| receiver).map_err(super::no_thread)
}

/// What the next conversation is to be.
struct Next {
    /// Conversations made before it: a trace's entry.
    entry: u64,
    /// Requests it may have.
    left: u64,
    due: Option<Duration>,
}

/// Counts a conversation that another worker sends. Gives its requests.
fn pass_over(order: &Order, counters: &Counters, entry: u64, left: u64) -> u64 {
    let conversation = counters.next(order, entry);
    let turns = order.source.turns(conversation) as u64;
    let requests = turns.min(left);
    counters.index.fetch_add(requests, Ordering::Relaxed);
    requests
}

fn prepare(
    order: &Order,
    counters: &Counters,
    world: &World,
    writer: &mut Writer,
    next: Next,
) -> Option<Prepared> {
    let Next { entry, left, due } = next;
    let phase = order.phase;
    let version = writer.learn(order, world);
    let conversation = counters.next(order, entry);
    if order.images.is_none()
        && let Some(opening) = order.source.opening(conversation)
        && writer.mold(order, opening.max_tokens, world)
        && let Some(Mold { before, after, .. }) = &writer.mold
    {
        let Opening {
            text,
            wanted_prompt_tokens,
            ..
        } = opening;
        let index = counters.index.fetch_add(1, Ordering::Relaxed);
        let parts = [before, text.as_bytes(), after];
        return Some(Prepared {
            index,
            requests: 1,
            phase,
            due,
            request: writer.block.request(&parts, index, world),
            prompt: world.texts.then_some(text),
            version,
            turns: None,
            wanted_prompt_tokens: Some(wanted_prompt_tokens),
        });
    }
    let draft = order.source.draft(conversation);
    let mut turns = draft.turns;
    turns.truncate(usize::try_from(left).unwrap_or(usize::MAX));
    let requests = turns.len() as u64;
    let index = counters.index.fetch_add(requests, Ordering::Relaxed);
    let mut turns = turns.into_iter();
    let mut messages = turns.next()?;
    // The server's count has the tokens of images as well.
    let wanted_prompt_tokens = draft.wanted_prompt_tokens;
    let wanted_prompt_tokens = wanted_prompt_tokens.filter(|_| order.images.is_none());
    order.add_images(&mut messages, index, counters);
    let chat = ChatRequest {
        model: order.model.clone(),
        messages,
        params: Params {
            max_tokens: draft.max_tokens,
            ..order.params.clone()
        },
    };
    let (ignore_eos, later) = (order.ignore_eos, turns);
    Some(Prepared {
        index,
        requests,
        phase,
        due,
        request: writer.request(&chat, form(ignore_eos, writer.dialect, world), index, world),
        prompt: said(&chat, world),
        version,
        turns: (requests > 1).then(|| Turns::after(chat, ignore_eos, later)),
        wanted_prompt_tokens,
    })
}

/// Writes requests.
#[derive(Default)]
struct Writer {
    /// A body before its length is known.
    body: Vec<u8>,
    block: Block,
    mold: Option<Mold>,
    /// What the server takes, as of this version.
    dialect: Dialect,
    version: Option<u64>,
}

/// The body of requests that differ in one text alone, around that text.
struct Mold {
    max_tokens: Option<u32>,
    before: Vec<u8>,
    after: Vec<u8>,
}

/// Memory of which each request gets a part: an allocation of its own for each, freed on another thread, costs more
/// than writing it.
#[derive(Default)]
struct Block(BytesMut);

/// Of a [`Block`], in bytes.
const BLOCK: usize = 32 << 10;

impl Writer {
    /// Takes over what was learned of the server since the last request; gives the version of it.
    fn learn(&mut self, order: &Order, world: &World) -> u64 {
        let version = world.api.dialects().version();
        if self.version != Some(version) {
            self.version = Some(version);
            self.dialect = world.api.dialects().of(&order.model);
            self.mold = None;
        }
        version
    }

    fn request(&mut self, chat: &ChatRequest, form: BodyForm, index: u64, world: &World) -> Bytes {
        self.body.clear();
        openai::write_stream_body(chat, form, &mut self.body);
        self.block.request(&[&self.body], index, world)
    }

    /// For an opening; the last one, where that serves.
    fn mold(&mut self, order: &Order, max_tokens: Option<u32>, world: &World) -> bool {
        if self
            .mold
            .as_ref()
            .is_some_and(|mold| mold.max_tokens == max_tokens)
        {
            return true;
        }
        let messages = vec![Message::new(Role::User, "")];
        let params = Params {
            max_tokens,
            ..order.params.clone()
        };
        let chat = ChatRequest {
            model: order.model.clone(),
            messages,
            params,
        };
        let form = form(order.ignore_eos, self.dialect, world);
        let around = openai::stream_body_around(&chat, form);
        self.mold = around.map(|(before, after)| Mold {
            max_tokens,
            before,
            after,
        });
        self.mold.is_some()
    }
}

/// A request that was written before more was learned of what the server takes: as it is to be sent now. `None` when
/// that changes nothing in it.
pub(super) fn adapted(
    request: &[u8],
    dialect: Dialect,
    index: u64,
    world: &World,
) -> Option<Bytes> {
    const END: &[u8] = b"\r\n\r\n";
    let body = &request[memchr::memmem::find(request, END)? + END.len()..];
    let body = refusal::adapted(body, dialect)?;
    Some(Block::default().request(&[&body], index, world))
}

impl Block {
    fn request(&mut self, body: &[&[u8]], index: u64, world: &World) -> Bytes {
        let length = world
            .dialer
            .request_bytes(body.iter().map(|part| part.len()).sum());
        if self.0.capacity() < length {
            self.0 = BytesMut::with_capacity(length.max(BLOCK));
        }
        world
            .dialer
            .write_request(world.request_id(index), body, &mut self.0);
        self.0.split().freeze()
    }
}
