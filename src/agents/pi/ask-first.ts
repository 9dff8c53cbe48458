/**
 * Pi edits and runs whatever its model asks for. A task that is to ask first gives it an extension
 * that does: a module that Node loads before Pi writes it to a temporary file, because Pi loads
 * extensions from files alone; it is taken away when Pi has begun its session. Nothing of the user's
 * is touched.
 */

/** As Node's `--import` takes it. */
export const askFirstModule = `data:text/javascript,${encodeURIComponent(
  `import fs from 'node:fs';import os from 'node:os';import path from 'node:path';(${addExtension})(fs, os, path, ${JSON.stringify(String(extension))})`,
)}`

/** Both run in Pi's process, as text: they may use nothing that is outside of them. */
function addExtension(
  fs: typeof import('node:fs'),
  os: typeof import('node:os'),
  path: typeof import('node:path'),
  extension: string,
): void {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-ask-'))
  const file = path.join(directory, 'ask-first.js')
  const remove = () => fs.rmSync(directory, { recursive: true, force: true })
  fs.writeFileSync(file, `export default ${extension}`, { mode: 0o600 })
  process.argv.push('--extension', file)
  process.on('exit', remove)
  process.on('holdfast:begun' as 'exit', remove)
}

interface PiApi {
  on(event: 'session_start', handler: () => void): void
  on(
    event: 'tool_call',
    handler: (
      event: { toolName: string; input: Record<string, unknown> },
      context: { ui: { confirm(title: string, message: string): Promise<boolean> } },
    ) => Promise<{ block: true; reason: string } | undefined>,
  ): void
}

function extension(pi: PiApi): void {
  const reading = ['read', 'grep', 'find', 'ls']
  pi.on('session_start', () => {
    process.emit('holdfast:begun' as 'exit', 0)
  })
  pi.on('tool_call', async ({ toolName, input }, { ui }) => {
    if (reading.includes(toolName)) return undefined
    const what = input.command ?? input.path ?? JSON.stringify(input)
    if (await ui.confirm(toolName, String(what))) return undefined
    return { block: true, reason: 'Whoever asked for this task does not want it.' }
  })
}
