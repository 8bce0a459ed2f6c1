//! The end of the help of `batida bench`.

pub(super) const EXAMPLES: &str = "\
Examples:
  batida bench --demo --model gpt-oss-120b --concurrency 1,4,16 --requests 50
  batida bench --demo --model gpt-oss-120b --rate 5,10 --poisson --duration 10s --csv requests.csv
  batida bench --demo --model gpt-oss-120b --sweep=8 --goodput ttft=500ms,itl=20ms --out report.json
  batida bench --demo --model gpt-oss-120b --find 'ttft_p95<150ms' --and 'itl_p99<50ms' --up-to 16
  batida bench --demo --model E5-Mistral-7B-Instruct --endpoint embeddings --rate 20 --duration 5s
  batida bench --api api.example.com --model m --rate 200 --worker-command 'ssh -T a batida worker' --worker-command 'ssh -T b batida worker'
  batida bench --demo --model gpt-oss-120b --requests 30 --fail-if 'ttft_p99>800ms' --strict";

pub(super) const DETAILS: &str = "\
Figures: with --rate and --trace, times count from the moment a request was due; otherwise from the moment it was \
sent. TTFT ends at the first chunk with any text, reasoning included. ITL is the gap between chunks, pooled over all \
answers. TPOT is (last token - first token) / (tokens - 1). Throughput is measured over the steady part of a level. \
Times leave out failed requests and warm-ups. Requests that --max-in-flight held back until the end are counted \
apart (unsent) and miss every goodput objective. A rate has no interval before it has run for the time of five answers.

Intervals: 95 %, of percentiles from order statistics. Requests that waited for each other count as fewer (p50_effective \
in the JSON), and a percentile has no interval in a run too short to see how much they vary; a note then says how much \
longer it takes. While a level runs, percentiles have none.

Exit codes: 0 done; 1 failed, stopped, ended for too many errors, or no request was answered; 2 wrong usage; 3 a \
--fail-if condition was met, or its figure is unknown, or with --find not even the least load meets the limits; 4 with --strict, a level has a measurement warning. If several \
apply, the first of 1, 3, 4 is used. Ctrl-C stops and prints a report of what was measured; a second Ctrl-C, at least a \
second later, exits at once. SIGTERM and SIGHUP stop likewise, with exit codes 143 and 129.

Workers: --worker-command starts a worker, any command that runs `batida worker` with its standard input and output; they share \
each level, and the same seed sends the same requests at the same moments however many there are. A worker finds the API \
key on its own machine (`batida worker --key-file FILE`, or SAMBANOVA_API_KEY there): it is never sent one. Figures are those of all \
requests together, and the report has a line per worker. The machines' clocks need not agree. --in-cluster --image REF starts them as \
pods of a Job, which is deleted at the end; `batida check --in-cluster` says whether you may.

Pipelines: --junit FILE for Jenkins, GitLab and others; --github-summary appends to the file that \
$GITHUB_STEP_SUMMARY names and prints ::error and ::warning lines for what failed. Neither changes the exit code.

JSON: --json prints one object with \"schema\": \"batida.bench/1\"; --out writes the same to a file. \
`batida bench --schema` lists each key with its type, unit and meaning; --schema=json is a JSON Schema for validators.";
