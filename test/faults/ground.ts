/** What all cases of the kill matrix share: a copy of the built program, and repositories to copy. */
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { processesOf } from '../processes-of.ts'

/** Which files a repository has, and in which state. */
export type RepositoryKind = 'clean' | 'dirty' | 'filtered' | 'large' | 'ready' | 'submodule'

const ORIGINAL = 'one\ntwo\nthree\n'
/** How often nobody must be met until nobody is there. */
const QUIET_LOOKS = 10
const LOOK_MS = 20

export class Ground {
  readonly scratch = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-faults-')))
  readonly entry = join(this.scratch, 'program', 'bin', 'holdfast.cjs')
  readonly environment: Readonly<Record<string, string>>
  readonly #patches = new Map<string, string>()
  readonly #elsewhere: string[] = []
  /** Where the rooms of cases that went wrong are kept; undefined: nowhere. */
  readonly #kept: string | undefined
  #stages = 0

  constructor(kept?: string) {
    this.#kept = kept
    // A build in the meantime does not change what is tested.
    for (const part of ['bin', 'dist', 'skills', 'agent-plugin', '.agents']) {
      const source = fileURLToPath(new URL(`../../${part}`, import.meta.url))
      cpSync(source, join(this.scratch, 'program', part), { recursive: true })
    }
    const here = fileURLToPath(new URL('.', import.meta.url))
    replaceToolPath(join(this.scratch, 'program', 'dist', 'main.cjs'), join(here, 'tools'))
    this.environment = {
      PATH: [join(here, 'programs'), dirname(process.execPath), process.env.PATH].join(':'),
      CODEX_API_KEY: 'of no use',
      READY: join(here, 'programs', 'ready.sh'),
      GIT_AUTHOR_NAME: 'T',
      GIT_AUTHOR_EMAIL: 't@localhost',
      GIT_COMMITTER_NAME: 'T',
      GIT_COMMITTER_EMAIL: 't@localhost',
    }
  }

  /** A directory for one case. */
  makeRoom(): string {
    this.#stages += 1
    // Of one width: the processes of a case are found by its path, which is no part of another one.
    const room = join(this.scratch, String(this.#stages).padStart(4, '0'))
    mkdirSync(room)
    return room
  }

  /**
   * One that is not in the temporary directory, where Codex puts no helper programs; without them it
   * runs no command beside a bubblewrap before 0.9.
   */
  makeRoomElsewhere(): string {
    const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
    mkdirSync(join(cache, 'holdfast'), { recursive: true })
    const room = mkdtempSync(join(cache, 'holdfast', 'faults-'))
    this.#elsewhere.push(room)
    return room
  }

  /** Removes the room of a case, or keeps it where those that went wrong are kept: where that is. */
  leaveRoom(room: string, wentWrong: boolean): string | undefined {
    if (!wentWrong || this.#kept === undefined) {
      rmSync(room, { recursive: true, force: true, maxRetries: 5 })
      return undefined
    }
    const place = join(this.#kept, basename(room))
    renameSync(room, place)
    return place
  }

  /** Puts a repository of a kind at `path`. */
  putRepository(kind: RepositoryKind, path: string): void {
    const template = join(this.scratch, kind)
    if (!existsSync(template)) this.#make(kind, template)
    cpSync(template, path, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  }

  git(directory: string, ...words: string[]): string {
    const env = { ...this.environment, HOME: this.scratch }
    const stdio = ['ignore', 'pipe', 'pipe'] as const
    return execFileSync('git', words, { cwd: directory, env, encoding: 'utf8', stdio: [...stdio] })
  }

  /**
   * What the patch must be, byte for byte, of an agent that leaves these files behind (null: it
   * removes them), as plain git says it.
   */
  patch(kind: RepositoryKind, files: Readonly<Record<string, string | null>>): string {
    const key = JSON.stringify([kind, files])
    const patch = this.#patches.get(key) ?? this.#makePatch(kind, files)
    this.#patches.set(key, patch)
    return patch
  }

  #makePatch(kind: RepositoryKind, files: Readonly<Record<string, string | null>>): string {
    const root = join(this.makeRoom(), 'expected')
    this.putRepository(kind, root)
    this.git(root, 'update-index', '--no-assume-unchanged', 'hidden.txt')
    this.git(root, 'add', '--all')
    this.git(root, 'commit', '--quiet', '--allow-empty', '--message=base')
    for (const [name, content] of Object.entries(files)) {
      if (content === null) rmSync(join(root, name))
      else {
        mkdirSync(dirname(join(root, name)), { recursive: true })
        writeFileSync(join(root, name), content, 'latin1')
      }
    }
    this.git(root, 'add', '--all')
    const options = ['--cached', '-U3', '--binary', '--full-index', '--no-renames', '--no-color']
    return this.git(root, 'diff', ...options)
  }

  /** Ends all cases that are being played, without a further step of this program. */
  abandon(): void {
    const cell = new Int32Array(new SharedArrayBuffer(4))
    // Some looks more: a process may just be starting another.
    for (let quiet = 0; quiet < QUIET_LOOKS; quiet++) {
      for (const line of processesOf(this.scratch)) {
        quiet = 0
        try {
          process.kill(Number.parseInt(line, 10), 'SIGKILL')
        } catch {
          // It went by itself.
        }
      }
      Atomics.wait(cell, 0, 0, LOOK_MS)
    }
    this.leave()
  }

  leave(): void {
    for (const path of [this.scratch, ...this.#elsewhere]) {
      rmSync(path, { recursive: true, force: true, maxRetries: 5 })
    }
  }

  #make(kind: RepositoryKind, root: string): void {
    mkdirSync(root)
    const git = (...words: string[]) => this.git(root, ...words)
    const write = (name: string, content: string) => {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), content)
    }
    git('init', '--quiet', '--initial-branch=trunk', '--template=')
    write('kept.txt', ORIGINAL)
    write('gone.txt', 'to be removed\n')
    write('hidden.txt', 'as committed\n')
    write('.gitignore', 'ignored.env\n')
    git('add', '.')
    git('commit', '--quiet', '--message=first')
    if (kind === 'dirty') makeDirty(git, write)
    if (kind === 'filtered') makeFiltered(git, write)
    if (kind === 'large') makeLarge(git, write, root)
    if (kind === 'ready') makeReady(git, write)
    if (kind === 'submodule') makeSubmodule(git, write, root)
  }
}

/** Where the program looks for its own tools, which no variable can change. */
const TOOL_PATH = '/usr/bin:/bin:/usr/local/bin:'

/** In our copy of the program, the wrapper's tools are ours: they stand still where it does. */
function replaceToolPath(bundle: string, tools: string): void {
  const [before, after, ...more] = readFileSync(bundle, 'latin1').split(TOOL_PATH)
  if (after === undefined || more.length > 0) throw new Error(`${bundle}: no tool path to replace`)
  writeFileSync(bundle, `${before}${tools}:${TOOL_PATH}${after}`, 'latin1')
}

type Git = (...words: string[]) => string
type Write = (name: string, content: string) => void

/** Staged, unstaged, untracked and ignored; and an edit that an index flag hides. */
function makeDirty(git: Git, write: Write): void {
  write('staged.txt', 'staged\n')
  git('add', 'staged.txt')
  write('staged.txt', 'staged, then edited\n')
  write('kept.txt', 'one\ntwo, edited by the caller\nthree\n')
  write('untracked ü.txt', 'of the caller, untracked\n')
  write('ignored.env', 'SECRET=1\n')
  git('update-index', '--assume-unchanged', 'hidden.txt')
  write('hidden.txt', 'edited behind a flag\n')
}

/** So many files that worktrees are made in advance. */
function makeLarge(git: Git, write: Write, root: string): void {
  mkdirSync(join(root, 'many'))
  for (let n = 0; n < 2_000; n++) write(`many/${n}.txt`, `${n}\n`)
  git('add', '.')
  git('commit', '--quiet', '--message=many files')
}

/** With a submodule that is populated, and changed. */
function makeSubmodule(git: Git, write: Write, root: string): void {
  const origin = `${root}-origin`
  git('clone', '--quiet', root, origin)
  git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', origin, 'lib')
  git('commit', '--quiet', '--message=with a submodule')
  write('lib/kept.txt', 'edited by the caller\n')
  write('lib/untracked.txt', 'of the caller\n')
}

/** With an ignored file that comes along, and a command that readies each worktree. */
/** Deletes what is nowhere else: ignored, untracked, and an edit. */
const TIDY = 'rm -rf late; git checkout --quiet kept.txt 2>/dev/null || rm kept.txt'

function makeReady(git: Git, write: Write): void {
  write('.worktreeinclude', 'ignored.env\n')
  write('.gitignore', 'ignored.env\nprepared.txt\nbuilt/\n')
  write('ignored.env', 'of no worth\n')
  write(
    'holdfast.json',
    JSON.stringify({
      setup: 'ready.sh',
      cleanup: ['sh', '-c', TIDY],
      directories: { built: 'copy' },
    }),
  )
  write('ready.sh', '. "$READY"\n')
  write('built/deep/output', 'built\n')
  git('add', '.')
  git('commit', '--quiet', '--message=ready')
}

/** A file that only a program which always fails could write. */
function makeFiltered(git: Git, write: Write): void {
  write('.gitattributes', 'broken.bin filter=broken\n')
  write('broken.bin', 'x\n')
  git('config', 'filter.broken.clean', 'cat')
  git('config', 'filter.broken.smudge', 'false')
  git('config', 'filter.broken.required', 'true')
  git('add', '.')
  git('commit', '--quiet', '--message=filtered')
}
