/** The user's own desktop: `notify-send` on Linux, `osascript` on macOS. */
import type { Channel } from '../ports/notifier.ts'
import { type Message, makeMessage } from './message.ts'
import { type Environment, runProgram } from './run-program.ts'

/**
 * Whether whoever has this environment sits before a desktop. Over SSH they sit elsewhere, though a
 * display may be there.
 */
export function hasDesktop(environment: Environment, platform: string): boolean {
  const isSet = (name: string) => (environment[name] ?? '') !== ''
  if (isSet('SSH_CONNECTION') || isSet('SSH_TTY')) return false
  if (platform === 'darwin') return true
  return platform === 'linux' && (isSet('DISPLAY') || isSet('WAYLAND_DISPLAY'))
}

/** `environment`: the worker's, with a PATH on which no agent put anything. */
export function makeDesktopChannel(
  environment: Environment,
  platform: string = process.platform,
): Channel<'desktop'> {
  const argvOf = platform === 'darwin' ? macArgv : linuxArgv
  return {
    async send(_subscriber, notices, signal) {
      await runProgram(argvOf(makeMessage(notices)), withBus(environment), signal)
    },
  }
}

/** The worker may be older than the desktop: its bus is where systemd puts it. */
function withBus(environment: Environment): Environment {
  const { DBUS_SESSION_BUS_ADDRESS: bus, XDG_RUNTIME_DIR: directory } = environment
  if (bus !== undefined || directory === undefined) return environment
  return { ...environment, DBUS_SESSION_BUS_ADDRESS: `unix:path=${directory}/bus` }
}

/** The body is markup, in which `notify-send` undoes backslashes first. */
function linuxArgv({ title, lines }: Message): readonly [string, ...string[]] {
  const body = lines
    .join('\n')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\\', '\\\\')
  return ['notify-send', '--app-name=Holdfast', '--', title, body]
}

/** The texts are arguments of the script and no part of it. */
function macArgv({ title, lines }: Message): readonly [string, ...string[]] {
  const script = [
    'on run argv',
    'display notification (item 2 of argv) with title (item 1 of argv)',
    'end run',
  ]
  return ['osascript', ...script.flatMap(line => ['-e', line]), title, lines.join('\n')]
}
