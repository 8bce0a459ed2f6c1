use std::time::Duration;

use super::*;
use crate::domain::run::Gauge;

macro_rules! page {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/metrics/", $name))
    };
}

const MODEL: &str = "openai/gpt-oss-120b";

#[track_caller]
fn reading(text: &str, model: &str, engine: Engine) -> Reading {
    let page = read(text, model).expect("an engine's page");
    assert_eq!(page.engines, [engine]);
    page.reading
}

#[test]
fn vllm_says_queue_running_cache_and_preemptions_of_all_its_engines() {
    let found = reading(page!("vllm.txt"), MODEL, Engine::Vllm);
    assert_eq!(
        (found.queue, found.running, found.cache_use),
        (Some(7.0), Some(30.0), Some(0.9712))
    );
    assert_eq!(
        (found.preemptions, found.cache_hits),
        (Some(3.0), Some(12_000.0))
    );
    assert_eq!(found.queue_time.len(), 5);
    assert_eq!((found.workers_busy, found.longest_wait_s), (None, None));
}

#[test]
fn two_pages_of_vllm_give_differences() {
    let mut readings = Readings::default();
    for (at, text) in [(1, page!("vllm.txt")), (11, page!("vllm-later.txt"))] {
        readings.add(Duration::from_secs(at), reading(text, MODEL, Engine::Vllm));
    }
    let level = readings
        .between([Duration::ZERO, Duration::from_secs(20)])
        .expect("readings");
    assert_eq!(level.readings, 2);
    assert_eq!(level.preemptions, Some(2.0));
    assert_eq!(level.cache_hits, Some(5_000.0 / 20_000.0));
    assert_eq!(
        level.queue,
        Gauge {
            mean: Some(9.0),
            p50: Some(7.0),
            max: Some(11.0)
        }
    );
    // 100 requests: 40 within 0.3 s, 20 more within 0.5 s, 30 within 1 s, 10 within 2 s.
    let time = level.queue_time_ms;
    assert_eq!((time.count, time.mean), (Some(100.0), Some(500.0)));
    assert!((time.p50.expect("known") - 400.0).abs() < 1e-9, "{time:?}");
    assert!(
        (time.p99.expect("known") - 1_900.0).abs() < 1e-9,
        "{time:?}"
    );
}

#[test]
fn of_a_figure_with_two_names_the_current_one_counts() {
    let found = reading(page!("vllm-0.9.txt"), "m", Engine::Vllm);
    assert_eq!(
        (found.cache_use, found.cache_hits),
        (Some(0.25), Some(50.0))
    );
}

#[test]
fn sglang_is_counted_once_however_many_devices_speak() {
    let model = "meta-llama/Llama-3.1-8B-Instruct";
    let found = reading(page!("sglang.txt"), model, Engine::Sglang);
    assert_eq!((found.queue, found.running), (Some(2_826.0), Some(162.0)));
    assert_eq!(
        (found.cache_use, found.preemptions),
        (Some(0.28), Some(7.0))
    );
    assert_eq!(found.cache_hit_rate, Some(0.007507552643049313));
}

#[test]
fn llama_cpp_names_no_model() {
    let found = reading(page!("llama.cpp.txt"), "any", Engine::LlamaCpp);
    assert_eq!(
        (found.queue, found.running, found.cache_use),
        (Some(46.0), Some(4.0), None)
    );
    // Recorded from Debian's `llama.cpp` 0.7.0, `llama-server -np 4 --metrics`, under nine clients.
    let recorded = reading(page!("llama.cpp-0.7.0.txt"), "any", Engine::LlamaCpp);
    assert_eq!((recorded.queue, recorded.running), (Some(5.0), Some(4.0)));
}

#[test]
fn the_router_speaks_of_several_models_and_only_the_right_one_counts() {
    let found = reading(page!("router.txt"), "gpt-oss-120b", Engine::Router);
    assert_eq!((found.queue, found.longest_wait_s), (Some(14.0), Some(1.8)));
    assert_eq!(found.workers_busy, Some(0.95));
    // It knows two other models, and which of them would be meant?
    let other = reading(page!("router.txt"), "Qwen3-32B", Engine::Router);
    assert!(other.is_empty(), "{other:?}");
    let prefixed =
        page!("router.txt").replace("\nqueue_length{", "\ninference_router_queue_length{");
    assert_eq!(
        reading(&prefixed, "gpt-oss-120b", Engine::Router).queue,
        Some(14.0)
    );
}

#[test]
fn a_server_of_one_model_may_name_it_otherwise() {
    let found = reading(page!("vllm.txt"), "gpt-oss-120b", Engine::Vllm);
    assert_eq!(found.queue, Some(7.0));
}

#[test]
fn exemplars_times_and_escapes_are_read_past() {
    let found = reading(page!("openmetrics.txt"), "we\"ird, {model}\\", Engine::Vllm);
    assert_eq!((found.queue, found.queue_time.len()), (Some(2.0), 2));
}

#[test]
fn a_page_of_another_program_is_none() {
    for text in [
        "",
        "<html>404</html>",
        "up 1\nprocess_cpu_seconds_total 3",
        "celery_queue_length 3",
    ] {
        assert_eq!(read(text, "m"), None, "{text}");
    }
}

#[test]
fn pods_are_added_up() {
    let pods = [
        page!("vllm.txt"),
        page!("vllm-later.txt"),
        page!("router.txt"),
    ];
    let pods = pods.map(|text| read(text, MODEL).expect("a page").reading);
    let all = Reading::joined(&pods);
    assert_eq!(
        (all.queue, all.running, all.cache_use),
        (Some(18.0), Some(56.0), Some(0.9712))
    );
    assert_eq!(all.preemptions, Some(8.0));
    let busy = [0.9, 0.3, 0.6].map(|busy| Reading {
        workers_busy: Some(busy),
        ..Reading::default()
    });
    assert!((Reading::joined(&busy).workers_busy.expect("known") - 0.6).abs() < 1e-9);
}
