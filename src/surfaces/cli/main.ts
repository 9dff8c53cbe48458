/** The command line: finds the command, reads its flags, draws what goes wrong. */
import { compose } from '../../compose.ts'
import { CRASH_POINTS_VARIABLE, outerEnvironment } from '../../domain/environment.ts'
import { AppError } from '../../domain/errors.ts'
import { plainText } from '../../domain/plain-text.ts'
import { detectCaller } from '../caller.ts'
import type { Command, CommandContext, CommandInput } from './command.ts'
import { exitCodeOfRefusal, exitCodes, signalExitCode } from './exit-codes.ts'
import { makeOutput, type Output, ReaderGone } from './output.ts'

/** Loaded by name, so that a command loads itself and nothing else. In the order of the help. */
export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./commands/run.ts')).run as Command,
  review: async () => (await import('./commands/review.ts')).review as Command,
  cancel: async () => (await import('./commands/cancel.ts')).cancel as Command,
  answer: async () => (await import('./commands/answer.ts')).answer as Command,
  send: async () => (await import('./commands/send.ts')).send as Command,
  resume: async () => (await import('./commands/resume.ts')).resume as Command,
  open: async () => (await import('./commands/open.ts')).open as Command,
  retry: async () => (await import('./commands/retry.ts')).retry as Command,
  status: async () => (await import('./commands/status.ts')).status as Command,
  wait: async () => (await import('./commands/wait.ts')).wait as Command,
  watch: async () => (await import('./commands/watch.ts')).watch as Command,
  inbox: async () => (await import('./commands/inbox.ts')).inbox as Command,
  logs: async () => (await import('./commands/logs.ts')).logs as Command,
  usage: async () => (await import('./commands/usage.ts')).usage as Command,
  result: async () => (await import('./commands/result.ts')).result as Command,
  diff: async () => (await import('./commands/diff.ts')).diff as Command,
  apply: async () => (await import('./commands/apply.ts')).apply as Command,
  handoff: async () => (await import('./commands/handoff.ts')).handoff as Command,
  branch: async () => (await import('./commands/branch.ts')).branch as Command,
  pick: async () => (await import('./commands/pick.ts')).pick as Command,
  pr: async () => (await import('./commands/pr.ts')).pr as Command,
  agents: async () => (await import('./commands/agents.ts')).agents as Command,
  setup: async () => (await import('./commands/setup.ts')).setup as Command,
  doctor: async () => (await import('./commands/doctor.ts')).doctor as Command,
  gc: async () => (await import('./commands/gc.ts')).gc as Command,
  worktree: async () => (await import('./commands/worktree.ts')).worktree as Command,
  pin: async () => (await import('./commands/pin.ts')).pin as Command,
  unpin: async () => (await import('./commands/pin.ts')).unpin as Command,
  archive: async () => (await import('./commands/archive.ts')).archive as Command,
  restore: async () => (await import('./commands/restore.ts')).restore as Command,
  worker: async () => (await import('./commands/worker.ts')).worker as Command,
  init: async () => (await import('./commands/init.ts')).init as Command,
  trust: async () => (await import('./commands/trust.ts')).trust as Command,
  uninstall: async () => (await import('./commands/uninstall.ts')).uninstall as Command,
  mcp: async () => (await import('./commands/mcp.ts')).mcp as Command,
  companion: async () => (await import('./commands/companion.ts')).companion as Command,
  completion: async () => (await import('./commands/completion.ts')).completion as Command,
  hook: async () => (await import('./commands/hook.ts')).hook as Command,
  rescue: async () => (await import('./commands/rescue.ts')).rescue as Command,
  demo: async () => (await import('./commands/demo.ts')).demo as Command,
}

const aliases: Readonly<Record<string, string>> = { ls: 'status' }

/** SIGINT, SIGTERM and SIGHUP, by their numbers. */
const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const

const version = process.env.HOLDFAST_VERSION ?? '0.0.0'

/** Runs one command; gives its exit code, and never rejects. `entry` is what starts the program anew. */
export async function main(process: NodeJS.Process, entry: string): Promise<number> {
  const argv = askedAsFlag(process.argv.slice(2))
  const output = makeOutput(process.env)
  const own = beforeDashes(argv)
  const crashPoints = process.env[CRASH_POINTS_VARIABLE]
  if (crashPoints) (await import('../../crash-here.ts')).crashHere(crashPoints)
  try {
    const command = await findCommand(argv[0], output)
    if (typeof command === 'number') return command
    if (command.readsFlags === true) {
      const input = { flags: {}, words: argv.slice(1), verbatim: undefined }
      return await runCommand(command, input, process, entry, output)
    }
    if (own.includes('--help') || own.includes('-h')) {
      const { commandHelp } = await import('./help.ts')
      output.write(commandHelp(command))
      return exitCodes.done
    }
    const { parseInput } = await import('./flags.ts')
    return await runCommand(command, parseInput(command, argv.slice(1)), process, entry, output)
  } catch (error) {
    return drawError(error, output, own.includes('--json'))
  }
}

/** `help COMMAND` as `COMMAND --help`. */
function askedAsFlag(words: readonly string[]): readonly string[] {
  const [first, name] = words
  return first === 'help' && name !== undefined && !name.startsWith('-') ? [name, '--help'] : words
}

/** What follows `--` is not for us. */
function beforeDashes(words: readonly string[]): readonly string[] {
  const dashes = words.indexOf('--')
  return dashes < 0 ? words : words.slice(0, dashes)
}

async function runCommand(
  command: Command,
  input: CommandInput,
  process: NodeJS.Process,
  entry: string,
  output: Output,
): Promise<number> {
  const environment = outerEnvironment(process.env)
  const directory = workingDirectory(process)
  const holdfast = compose(environment, entry)
  try {
    const context: CommandContext = {
      holdfast,
      environment,
      directory,
      get caller() {
        return detectCaller(environment, directory)
      },
      output,
      get stdin() {
        return process.stdin
      },
      version,
      get interrupted() {
        return listenForSignals(process)
      },
      now: () => Date.now(),
    }
    return await command.run(input, context)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const { namingSandbox } = await import('../writable-store.ts')
    throw await namingSandbox(error, { holdfast, directory })
  } finally {
    await holdfast.close()
  }
}

let interrupted: AbortController | undefined

/** Only a command that asks for it takes signals over from the system. */
function listenForSignals(process: NodeJS.Process): AbortSignal {
  if (interrupted === undefined) {
    const controller = new AbortController()
    for (const [name, number] of Object.entries(SIGNALS)) {
      process.on(name, () => controller.abort(number))
    }
    interrupted = controller
  }
  return interrupted.signal
}

async function findCommand(name: string | undefined, output: Output): Promise<Command | number> {
  if (name === '--version' || name === '-V' || name === '-v') {
    output.write(`${version}\n`)
    return exitCodes.done
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const { overallHelp } = await import('./help.ts')
    output.write(overallHelp(await Promise.all(Object.values(commands).map(load => load()))))
    return name === undefined ? exitCodes.badUsage : exitCodes.done
  }
  const load = Object.entries(commands).find(([known]) => known === (aliases[name] ?? name))?.[1]
  if (load === undefined) {
    const { findMeant } = await import('./find-meant.ts')
    const meant = findMeant(name, [...Object.keys(commands), ...Object.keys(aliases)])
    const all = 'holdfast --help lists them; to hand in a task: holdfast run "..."'
    throw new AppError('bad_usage', `there is no command "${name}"`, {
      hint: meant === undefined ? all : `did you mean: holdfast ${meant}? ${all}`,
    })
  }
  return await load()
}

/** The caller's directory may have been deleted under it; most commands do not need it. */
function workingDirectory(process: NodeJS.Process): string {
  try {
    return process.cwd()
  } catch {
    // ENOENT: `$PWD` still says where that was, for the message of a command that needs it.
    return process.env.PWD ?? '/'
  }
}

function drawError(error: unknown, output: Output, json: boolean): number {
  if (error instanceof ReaderGone) return signalExitCode(13)
  if (!(error instanceof AppError)) {
    output.tell(`holdfast: unexpected: ${error instanceof Error ? error.stack : String(error)}`)
    output.tell('This is a bug in Holdfast. No task is lost by it: holdfast status')
    return exitCodes.taskFailed
  }
  const { code, message, hint } = error
  if (json) {
    try {
      output.writeJson({ error: { code, message, hint: hint ?? null } })
    } catch {
      // stdout takes nothing any more: stderr says the same.
    }
  }
  // It may hold words of a repository's or an agent's.
  output.tell(`holdfast: ${plainText(message)}`)
  if (hint !== undefined) output.tell(`  ${plainText(hint)}`)
  return exitCodeOfRefusal(code)
}
