/** One line of the user's crontab. All others are the user's, and stay byte for byte. */
import { AppError } from '../../domain/errors.ts'
import { shellWord } from '../../domain/shell-word.ts'
import { BOOT_WORDS, type BootProgram } from './program.ts'

const MARK = '# holdfast worker install'
/** What cron takes of a line, less what it may need itself. */
const MOST_BYTES = 990

/** Refuses what cron cannot say. */
export function renderLine({ node, entry, home, path }: BootProgram): string {
  const variables = `HOLDFAST_HOME=${cronWord(home)} PATH=${cronWord(path)}`
  const command = [cronWord(node), cronWord(entry), ...BOOT_WORDS].join(' ')
  const line = `@reboot ${variables} ${command} >/dev/null 2>&1 ${MARK}`
  if (Buffer.byteLength(line) <= MOST_BYTES) return line
  throw new AppError(
    'refused_in_state',
    `a line of cron may have ${MOST_BYTES} bytes, and no more`,
    {
      hint: 'install Holdfast, or set HOLDFAST_HOME, to a shorter path',
    },
  )
}

/** Undefined: the line is not ours. */
export function parseLine(line: string): BootProgram | undefined {
  if (!line.startsWith('@reboot HOLDFAST_HOME=') || !line.endsWith(MARK)) return undefined
  const words = [...line.matchAll(/'((?:[^']|'\\'')*)'(?= )/g)].map(([, word = '']) => plain(word))
  const [home, path, node, entry] = words
  if (home === undefined || path === undefined || node === undefined) return undefined
  return entry === undefined ? undefined : { node, entry, home, path }
}

/** `table` without our lines for this state directory, and with `line` at its end, if there is one. */
export function editTable(table: string, home: string, line: string | null): string {
  const kept = table.split('\n').filter(one => parseLine(one)?.home !== home)
  const rest = kept.join('\n')
  if (line === null) return rest
  return `${rest === '' || rest.endsWith('\n') ? rest : `${rest}\n`}${line}\n`
}

/** To cron, `%` is the end of the command; and what a backslash is differs from cron to cron. */
function cronWord(text: string): string {
  if (text.includes('\\')) {
    throw new AppError('refused_in_state', `cron cannot name a path with a backslash: ${text}`, {
      hint: 'set HOLDFAST_HOME to another place',
    })
  }
  return shellWord(text).replaceAll('%', '\\%')
}

const plain = (word: string) => word.replaceAll("'\\''", "'").replaceAll('\\%', '%')
