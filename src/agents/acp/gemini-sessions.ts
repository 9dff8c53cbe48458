import { existsSync } from 'node:fs'
import { glob, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

const MINUTE_MS = 60_000

/** `session-2026-11-29T07-08-a1dbe8ed.jsonl`: the minute of its beginning, and its id's first part. */
const NAME = /^session-(?<minute>\d{4}-\d{2}-\d{2}T\d{2}-\d{2})-(?<id>\w{8})\.jsonl?$/

/**
 * Gives the file of a Gemini session an earlier minute in its name, if it is of this one. To load a
 * session Gemini CLI begins a file of the present minute for it: within the minute in which the
 * session began that is the same file, and its history would be overwritten (0.61.0,
 * `ChatRecordingService`). It finds a session by the id in its file, whatever minute the name tells.
 * `directory` is the one of Gemini's settings, `now` in milliseconds since 1970.
 */
export async function keepGeminiSession(
  directory: string,
  session: string,
  now: number,
): Promise<void> {
  const projects = join(directory, 'tmp')
  for await (const file of glob('*/chats/session-*', { cwd: projects })) {
    const { minute, id } = NAME.exec(basename(file))?.groups ?? {}
    if (minute === undefined || id !== session.slice(0, 8) || minute < minuteOf(now)) continue
    await rename(join(projects, file), findFree(join(projects, file), minute, now))
  }
}

/** A file of an earlier minute may be there: of another load of the same session. */
function findFree(file: string, minute: string, now: number): string {
  for (let at = now - MINUTE_MS; ; at -= MINUTE_MS) {
    const path = join(dirname(file), basename(file).replace(minute, minuteOf(at)))
    if (!existsSync(path)) return path
  }
}

function minuteOf(at: number): string {
  return new Date(at).toISOString().slice(0, 16).replace(':', '-')
}
