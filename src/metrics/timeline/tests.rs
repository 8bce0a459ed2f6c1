use super::*;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn the_figures_follow_the_definitions() {
    let mut timeline = Timeline::default();
    timeline.first_byte(ms(40));
    for at in [100, 110, 120, 150] {
        timeline.text(TextKind::Answer, ms(at));
    }
    timeline.end(ms(160));
    let usage = Usage {
        completion_tokens: Some(13),
        ..Usage::default()
    };
    let figures = timeline.figures(Some(&usage));
    assert_eq!(figures.ttft, Some(ms(100)));
    assert_eq!(figures.latency, Some(ms(160)));
    assert_eq!(
        figures.tpot,
        Some(Duration::from_nanos(4_166_667)),
        "(150 − 100) / 12: it ends at the last text"
    );
    assert_eq!(figures.tokens_per_sec.map(f64::round), Some(240.0));
    assert_eq!(
        figures.itl,
        Some(ms(50).div_f64(3.0)),
        "three gaps between four chunks"
    );
    assert_eq!(figures.longest_gap, Some(ms(30)));
    assert_eq!(figures.server, None);
}

#[test]
fn without_usage_chunks_are_counted_and_said_to_be_chunks() {
    let mut timeline = Timeline::default();
    timeline.text(TextKind::Answer, ms(10));
    timeline.text(TextKind::Answer, ms(20));
    timeline.end(ms(20));
    let tokens = timeline.figures(None).tokens.expect("counted");
    assert_eq!((tokens.n, tokens.noun()), (2, "chunks"));
}

#[test]
fn a_one_token_answer_has_no_rate_and_no_gap() {
    let mut timeline = Timeline::default();
    timeline.text(TextKind::Answer, ms(10));
    timeline.end(ms(12));
    let usage = Usage {
        completion_tokens: Some(1),
        ..Usage::default()
    };
    let figures = timeline.figures(Some(&usage));
    assert_eq!(
        (figures.tokens_per_sec, figures.tpot, figures.itl),
        (None, None, None)
    );
    assert_eq!(figures.latency, Some(ms(12)));
}

#[test]
fn an_answer_in_one_write_has_no_speed_rather_than_an_infinite_one() {
    let counted = Usage {
        completion_tokens: Some(64),
        ..Usage::default()
    };
    for usage in [None, Some(&counted)] {
        // Several chunks of one read, then one event with the whole text, then reads within some microseconds.
        for (chunks, bytes, later) in [(40, 90, 0), (1, 90, 0), (40, 90, 300)] {
            let mut timeline = Timeline::default();
            timeline.text(TextKind::Answer, Duration::from_millis(10));
            timeline.heard(bytes);
            if chunks > 1 {
                timeline.texts(
                    TextKind::Answer,
                    ms(10) + Duration::from_micros(later),
                    chunks - 1,
                );
            }
            timeline.end(ms(900));
            let figures = timeline.figures(usage);
            let Figures {
                tokens_per_sec,
                tpot,
                itl,
                longest_gap,
                at_once,
                ..
            } = figures;
            assert_eq!(
                (tokens_per_sec, tpot, itl, longest_gap, at_once),
                (None, None, None, None, true)
            );
            assert_eq!(
                (figures.ttft, figures.latency),
                (Some(ms(10)), Some(ms(900)))
            );
        }
    }
}

#[test]
fn a_speed_ends_at_the_last_text_and_leaves_out_what_was_not_sent() {
    let mut timeline = Timeline::default();
    for at in [100, 110, 120] {
        timeline.text(TextKind::Answer, ms(at));
    }
    timeline.end(ms(5_120));
    assert_eq!(timeline.figures(None).tpot, Some(ms(10)));
    assert_eq!(timeline.figures(None).latency, Some(ms(5_120)));
    let hidden = Usage {
        completion_tokens: Some(503),
        reasoning_tokens: Some(500),
        ..Usage::default()
    };
    assert_eq!(
        timeline.figures(Some(&hidden)).tpot,
        Some(ms(10)),
        "500 of them were never sent"
    );
}

#[test]
fn a_zero_against_text_that_came_is_not_believed() {
    let mut timeline = Timeline::default();
    timeline.text(TextKind::Answer, ms(10));
    timeline.text(TextKind::Answer, ms(20));
    timeline.end(ms(20));
    let zero = Usage {
        completion_tokens: Some(0),
        prompt_tokens: Some(9),
        ..Usage::default()
    };
    let figures = timeline.figures(Some(&zero));
    assert_eq!(
        figures.tokens,
        Some(Tokens {
            n: 2,
            source: TokenSource::Chunks
        })
    );
    assert_eq!(figures.prompt_tokens, Some(9));
    let mut usage = Usage {
        completion_tokens: Some(40),
        ..Usage::default()
    };
    usage.merge(zero);
    assert_eq!(
        (usage.completion_tokens, usage.prompt_tokens),
        (Some(40), Some(9))
    );
    assert_eq!(
        Timeline::default()
            .figures(Some(&zero))
            .tokens
            .map(|tokens| tokens.n),
        Some(0)
    );
}

#[test]
fn a_count_that_the_text_contradicts_is_not_believed() {
    let figures = |chunks: u64, bytes: u64, last: u64, usage: Usage| {
        let mut timeline = Timeline::default();
        timeline.text(TextKind::Answer, ms(100));
        for chunk in 1..chunks {
            timeline.text(
                TextKind::Answer,
                ms(100 + (last - 100) * chunk / (chunks - 1)),
            );
        }
        timeline.heard(bytes);
        timeline.end(ms(last));
        timeline.figures(Some(&usage))
    };
    let count = |n| Usage {
        completion_tokens: Some(n),
        ..Usage::default()
    };
    let tokens = |figures: Figures| figures.tokens.map(|tokens| (tokens.n, tokens.source));
    // 90 million tokens for five words, and one token for fifty chunks.
    assert_eq!(
        tokens(figures(5, 25, 150, count(90_000_000))),
        Some((5, TokenSource::Chunks))
    );
    assert_eq!(
        tokens(figures(50, 250, 600, count(1))),
        Some((50, TokenSource::Chunks))
    );
    // A character a chunk is no contradiction, and neither is thinking that was not sent.
    assert_eq!(
        tokens(figures(40, 40, 600, count(9))),
        Some((9, TokenSource::Usage))
    );
    let hidden = figures(3, 9, 9_000, count(700));
    assert_eq!(tokens(hidden), Some((700, TokenSource::Usage)));
    assert_eq!(
        (hidden.tokens_per_sec, hidden.at_once),
        (None, false),
        "how many came is not known"
    );
    let said = Usage {
        reasoning_tokens: Some(697),
        ..count(700)
    };
    assert_eq!(
        figures(3, 9, 9_100, said).tokens_per_sec.map(f64::round),
        Some(0.0)
    );
    // Few chunks within few milliseconds are no burst because much was thought before.
    assert!(!figures(3, 9, 110, count(700)).at_once);
}

#[test]
fn several_tokens_in_a_chunk_are_said() {
    let mut timeline = Timeline::default();
    for at in [100, 110, 120] {
        timeline.text(TextKind::Answer, ms(at));
    }
    timeline.end(ms(120));
    let of = |n| {
        timeline.figures(Some(&Usage {
            completion_tokens: Some(n),
            ..Usage::default()
        }))
    };
    assert_eq!(
        (of(4).tokens_per_chunk(), of(9).tokens_per_chunk()),
        (None, Some(3.0))
    );
    assert_eq!(timeline.figures(None).tokens_per_chunk(), None);
}

#[test]
fn reasoning_counts_for_ttft_and_has_its_own_time() {
    let mut timeline = Timeline::default();
    timeline.text(TextKind::Reasoning, ms(50));
    timeline.text(TextKind::Reasoning, ms(80));
    timeline.text(TextKind::Answer, ms(90));
    timeline.end(ms(95));
    let figures = timeline.figures(None);
    assert_eq!(figures.ttft, Some(ms(50)));
    assert_eq!(figures.first_answer, Some(ms(90)));
    let reasoning = figures.reasoning.expect("it reasoned");
    assert_eq!((reasoning.tokens.n, reasoning.time), (2, ms(40)));
}

#[test]
fn a_cut_answer_has_no_latency() {
    let mut timeline = Timeline::default();
    timeline.text(TextKind::Answer, ms(50));
    timeline.text(TextKind::Answer, ms(60));
    let figures = timeline.figures(None);
    assert_eq!(figures.latency, None);
    assert_eq!(figures.ttft, Some(ms(50)));
}

#[test]
fn what_a_proxy_held_back_has_no_speed_although_it_came_in_several_reads() {
    let at_once = |ttft: u64, reads: u64, each: u64, gap_us: u64| {
        let mut timeline = Timeline::default();
        for read in 0..reads {
            let at = ms(ttft) + Duration::from_micros(read * gap_us);
            timeline.texts(TextKind::Answer, at, each);
            timeline.heard(4 * each);
        }
        timeline.end(ms(ttft + 1_000));
        let figures = timeline.figures(None);
        assert_eq!(figures.at_once, figures.tokens_per_sec.is_none());
        figures.at_once
    };
    // 100 tokens in two reads, in ten, and 300 in the segments of a network.
    assert!(at_once(1_000, 2, 50, 6_000));
    assert!(at_once(1_000, 10, 10, 2_000));
    assert!(at_once(3_000, 20, 15, 1_000));
    // Of quick servers: 2,000 tokens per second after a long prompt, and 10,000 after a short one.
    assert!(!at_once(2_000, 100, 1, 500));
    assert!(!at_once(50, 100, 1, 100));
    assert!(!at_once(1_000, 4, 1, 1_000), "few tokens are no burst");
}

#[test]
fn chunks_that_come_in_one_read_are_said() {
    let mut timeline = Timeline::default();
    timeline.text(TextKind::Answer, ms(100));
    timeline.texts(TextKind::Answer, ms(900), 39);
    timeline.end(ms(900));
    let figures = timeline.figures(None);
    assert_eq!((figures.chunks, figures.together), (40, 38));
    assert_eq!(
        figures.share_together().map(|share| (share * 39.0).round()),
        Some(38.0)
    );
    let mut steady = Timeline::default();
    (0..10).for_each(|n| steady.text(TextKind::Answer, ms(100 + n)));
    steady.end(ms(200));
    assert_eq!(steady.figures(None).share_together(), None);
}
