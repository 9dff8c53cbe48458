/** What is typed at a terminal: keys as they come, and whole lines, edited as everywhere else. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'

export interface Typing {
  readonly typed: string
  readonly cursor: number
  /** Lines that were pasted before what is typed. */
  readonly pasted: number
  /** Drops what was typed so far. */
  clear(): void
  close(): void
}

interface KeyHandlers {
  /** Its name as Node’s `readline` says it. */
  readonly onKey: (name: string) => void
  /** What was typed and pasted, up to the enter. */
  readonly onLine: (text: string) => void
  readonly onLeave: () => void
  readonly onSuspend: () => void
}

/** Node’s line editor, which draws into nothing: whoever asks draws what it holds. */
export function readKeys(input: NodeJS.ReadStream, handlers: KeyHandlers): Typing {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const editor = createInterface({ input, output: nowhere, terminal: true, historySize: 50 })
  let isPasting = false
  let pasted: string[] = []
  const onKeypress = (_: string | undefined, key: { readonly name?: string } | undefined) => {
    if (key?.name === 'paste-start') isPasting = true
    else if (key?.name === 'paste-end') isPasting = false
    if (key?.name !== undefined) handlers.onKey(key.name)
  }
  input.on('keypress', onKeypress)
  editor.on('line', line => {
    if (isPasting) {
      pasted.push(line)
      return
    }
    const text = [...pasted, line].join('\n')
    pasted = []
    handlers.onLine(text)
  })
  editor.on('SIGINT', handlers.onLeave)
  editor.on('close', handlers.onLeave)
  editor.on('SIGTSTP', handlers.onSuspend)
  return {
    get typed() {
      return editor.line
    },
    get cursor() {
      return editor.cursor
    },
    get pasted() {
      return pasted.length
    },
    clear() {
      pasted = []
      editor.write(null, { ctrl: true, name: 'e' })
      editor.write(null, { ctrl: true, name: 'u' })
    },
    close() {
      input.off('keypress', onKeypress)
      editor.off('close', handlers.onLeave)
      editor.close()
    },
  }
}
