/** Printed by `help`, `--help`, and without a subcommand. */
export const usage = `Usage:
  holdfast companion setup [--enable-review-gate|--disable-review-gate] [--json]
  holdfast companion review [--wait|--background] [--base <ref>] [--scope <auto|working-tree|branch>] [--model <model|spark>] [--effort <effort>]
  holdfast companion adversarial-review [--wait|--background] [--base <ref>] [--scope <auto|working-tree|branch>] [--model <model|spark>] [--effort <effort>] [focus text]
  holdfast companion task [--background] [--write] [--resume-last|--resume|--fresh] [--model <model|spark>] [--effort <none|minimal|low|medium|high|xhigh>] [--task <text>|--prompt-file <file>|prompt]
  holdfast companion task-resume-candidate [--json]
  holdfast companion status [job-id] [--all] [--wait] [--timeout-ms <ms>] [--json]
  holdfast companion result [job-id] [--json]
  holdfast companion cancel [job-id] [--json]
  holdfast companion transfer [--source <claude-jsonl>] [--json]
Every subcommand takes --cwd <directory> and --json. It speaks the command line of codex-companion.mjs; docs/companion.md says what differs.
`
