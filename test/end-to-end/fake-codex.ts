/** A Codex of our own making, for what no real one does on demand. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { House } from './house.ts'

/**
 * A house whose `codex` does what `body` says, a shell script: `say` writes a line to stdout,
 * `begin` names a session (of its own, or the one that is resumed) and starts a turn, `finish TEXT`
 * ends it well, `fail TEXT` badly; `$resumed` is `yes` in a session that goes on.
 */
export function houseWithCodex(
  body: string,
  environment: Readonly<Record<string, string>> = {},
): House {
  const house = new House({ CODEX_API_KEY: 'key-1', ...environment })
  const directory = join(house.scratch, 'fake-bin')
  mkdirSync(directory)
  const program = join(directory, 'codex')
  writeFileSync(
    program,
    `#!/bin/sh
if [ "$1" = --version ]; then echo 'codex-cli 0.169.0'; exit; fi
say() { printf '%s\\n' "$1"; }
begin() {
  say "{\\"type\\":\\"thread.started\\",\\"thread_id\\":\\"$session\\"}"
  say '{"type":"turn.started"}'
}
words() { say "{\\"type\\":\\"item.completed\\",\\"item\\":{\\"type\\":\\"agent_message\\",\\"text\\":\\"$1\\"}}"; }
usage() { say "{\\"type\\":\\"turn.completed\\",\\"usage\\":{\\"input_tokens\\":$1,\\"cached_input_tokens\\":0,\\"output_tokens\\":$2}}"; }
finish() { words "$1"; say '{"type":"turn.completed"}'; exit 0; }
fail() { say "{\\"type\\":\\"turn.failed\\",\\"error\\":{\\"message\\":\\"$1\\"}}"; exit 1; }
resumed=no
session=session-$$
for word; do
  before=$last
  last=$word
done
if [ "$2" = resume ]; then resumed=yes; session=$before; fi
prompt=$(cat)
${body}
`,
  )
  chmodSync(program, 0o755)
  house.environment.PATH = `${directory}:${house.environment.PATH}`
  return house
}
