/** A house in which a person sits at a terminal, in a tmux of the test's own. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TaskView } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { entry, House } from './house.ts'

export const tmux = (process.env.PATH ?? '')
  .split(delimiter)
  .map(directory => join(directory, 'tmux'))
  .find(existsSync)

/**
 * A `codex` that as `exec` makes `made.txt` and ends well, in a session `begun`; and whose user
 * interface draws on the second screen, without an echo, and does each line that is typed.
 */
const CODEX = `#!/bin/sh
if [ "$1" = --version ]; then echo 'codex-cli 0.169.0'; exit; fi
record() {
  mkdir -p "$CODEX_HOME/sessions/2026/11/30"
  printf '{"type":"session_meta","payload":{"id":"%s","cwd":"%s"}}\\n' "$1" "$PWD" \\
    >>"$CODEX_HOME/sessions/2026/11/30/rollout-x-$1.jsonl"
}
if [ "$1" = exec ]; then
  cat >/dev/null
  echo '{"type":"thread.started","thread_id":"begun"}'
  echo '{"type":"turn.started"}'
  record begun
  echo 'made by the agent' >made.txt
  echo '{"type":"item.completed","item":{"type":"agent_message","text":"Done."}}'
  echo '{"type":"turn.completed"}'
  exit
fi
stty -echo
printf '\\033[?1049hUI ready: %s\\n' "$*"
while read -r line; do eval "$line"; done
`

export class Terminal {
  readonly house = new House({ CODEX_API_KEY: 'key-1' })
  readonly #window: string
  #sittings = 0

  constructor(name = 't') {
    const { house } = this
    const bin = join(house.scratch, 'fake-bin')
    mkdirSync(bin)
    mkdirSync(join(house.scratch, name))
    writeFileSync(join(bin, 'codex'), CODEX)
    chmodSync(join(bin, 'codex'), 0o755)
    Object.assign(house.environment, {
      PATH: `${bin}${delimiter}${house.environment.PATH}`,
      CODEX_HOME: join(house.scratch, 'codex-home'),
      TMUX_TMPDIR: join(house.scratch, name),
      ENTRY: entry,
      NODE: process.execPath,
      PS1: '$ ',
    })
    this.#window = name
  }

  /** A shell in a session of a tmux of its own: the one that was closed last may still be leaving. */
  sitDown(): void {
    this.#sittings++
    this.tmux(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-s',
      this.#window,
      '-x',
      '200',
      '-y',
      '50',
      '-c',
      this.house.repo,
      '/bin/sh',
    )
  }

  tmux(...words: string[]): string {
    const { environment } = this.house
    return execFileSync(tmux ?? 'tmux', ['-L', `sitting-${this.#sittings}`, ...words], {
      env: environment,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  }

  type(line: string): void {
    this.tmux('send-keys', '-t', this.#window, '-l', line)
    this.tmux('send-keys', '-t', this.#window, 'Enter')
  }

  holdfast(words: string): void {
    this.type(`"$NODE" "$ENTRY" ${words}; echo "ended with $?"`)
  }

  screen(): string {
    return this.tmux('capture-pane', '-p', '-J', '-S', '-200', '-t', this.#window)
  }

  sees(text: string): Promise<unknown> {
    return eventually(`the screen shows ${text}`, () => this.screen().includes(text))
  }

  /** Closes the window, as a terminal that is closed: all in it is hung up. */
  close(): void {
    this.tmux('kill-session', '-t', this.#window)
  }

  /** A task of the agent's own that has ended. */
  async task(name: string): Promise<string> {
    const id = await this.house.submit(['codex', 'begin', '--name', name])
    await this.house.wait(id)
    return id
  }

  /** The id of the newest of a name, once it runs. */
  async running(name: string): Promise<string> {
    return await eventually(`${name} runs`, async () => {
      // It may not be handed in yet.
      const { code, stdout } = await this.house.run(['status', name, '--json'])
      const task: TaskView | undefined = code === 0 ? JSON.parse(stdout) : undefined
      return task?.opened != null && task.state === 'running' && task.id
    })
  }

  opener(id: string): number {
    return Number.parseInt(readFileSync(join(this.house.runDirectory(id), 'opener'), 'utf8'), 10)
  }
}
