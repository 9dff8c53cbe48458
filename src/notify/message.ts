/** Notices in a few plain words. Pure: it is told what became of tasks, and never what they said. */
import { stripVTControlCharacters } from 'node:util'
import type { Notice, NoticeEvent } from '../domain/notice.ts'
import { redactShapes } from '../domain/redact.ts'

/** No line ends and no control characters are in either. */
export interface Message {
  /** Begins with our name. */
  readonly title: string
  readonly lines: readonly string[]
}

/** More would not be read; the inbox has them all. */
const MOST_LINES = 10
/** Of a name, a repository's or an agent's. */
const WORD_KEPT = 80
/** Of a command; it is made of a task's id or name. */
const COMMAND_KEPT = 200

const words: Readonly<Record<NoticeEvent, string>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'was cancelled',
  needs_input: 'needs an answer',
  waiting: 'waits',
  stalled: 'stands still',
  all_idle: 'nothing is under way any more',
}

export function makeMessage(notices: readonly Notice[]): Message {
  const shown = notices.length > MOST_LINES ? notices.slice(0, MOST_LINES - 1) : notices
  const lines = shown.map(line)
  const more = notices.length - shown.length
  if (more > 0) lines.push(`and ${more} more: holdfast inbox`)
  return { title: `Holdfast: ${summary(notices)}`, lines }
}

/** As one text, the title first. */
export const textOf = ({ title, lines }: Message) => [title, ...lines].join('\n')

function summary(notices: readonly Notice[]): string {
  const [only] = notices
  if (only !== undefined && notices.length === 1) return subject(only)
  const counts = Map.groupBy(notices, ({ event }) => event)
  return [...counts]
    .map(([event, some]) =>
      event === 'all_idle' ? words[event] : `${some.length} ${words[event]}`,
    )
    .join(', ')
}

function subject({ task, event }: Notice): string {
  return task === null ? words[event] : `${plain(task.name, WORD_KEPT)} ${words[event]}`
}

function line(notice: Notice): string {
  const { task, command } = notice
  const place = task === null ? '' : ` (${plain(task.agent, WORD_KEPT)} in ${repositoryName(task)})`
  return `${subject(notice)}${place}${counts(task)}: ${plain(command, COMMAND_KEPT)}`
}

function repositoryName({ repository }: { readonly repository: string }): string {
  const parts = repository.split('/').filter(part => part !== '')
  return plain(parts.at(-1) ?? repository, WORD_KEPT)
}

/** Nothing where it is not known: that is not zero. */
function counts(task: Notice['task']): string {
  if (task === null || task.files === null) return ''
  const { files, insertions, deletions } = task
  const lines = insertions === null || deletions === null ? '' : ` +${insertions} -${deletions}`
  return `, ${files} file${files === 1 ? '' : 's'}${lines}`
}

/** On one line, without what commands a terminal or turns the direction of writing, and cut. */
function plain(text: string, most: number): string {
  const bare = stripVTControlCharacters(text.toWellFormed())
    .replace(/[\s\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/[\p{Cc}\p{Cf}]/gu, '')
    .trim()
  const characters = [...redactShapes(bare)]
  return characters.length > most
    ? `${characters.slice(0, most - 1).join('')}…`
    : characters.join('')
}
