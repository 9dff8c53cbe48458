import type { Composition } from '../../../compose.ts'
import { AppError } from '../../../domain/errors.ts'
import { defineCommand, refuseWords } from '../command.ts'
import { exitCodes, signalExitCode } from '../exit-codes.ts'
import { parseCount } from '../flags.ts'

/** Of none that is registered. */
const DEFAULT_PORT = 7433

const usage = 'mcp [--http [--port N]]'

export const mcp = defineCommand({
  name: 'mcp',
  group: 'Keep house',
  summary: 'Serve the Model Context Protocol, to whoever started this or over HTTP',
  usage,
  flags: {
    http: { about: 'over HTTP on 127.0.0.1, for any number of clients with the token' },
    port: { about: `which one (default ${DEFAULT_PORT}; 0: any that is free)`, value: 'N' },
  },
  examples: [
    'claude mcp add holdfast -- holdfast mcp',
    'codex mcp add holdfast -- holdfast mcp',
    'holdfast mcp --http',
  ],
  async run({ flags, words }, context) {
    refuseWords(words, usage)
    if (flags.port !== undefined && flags.http !== true) {
      throw new AppError('bad_usage', '--port goes with --http')
    }
    const { holdfast, environment, directory, output, version, interrupted } = context
    const premises = {
      holdfast,
      environment,
      directory,
      declined: new Set<string>(),
      ended: interrupted,
      borrowing: lendStore(holdfast),
      tell: (line: string) => output.tell(line),
    }
    if (flags.http === true) {
      const { serveOverHttp } = await import('../../mcp/serve-http.ts')
      const port = flags.port === undefined ? DEFAULT_PORT : parseCount(flags.port, 'port')
      await serveOverHttp(premises, port, version)
    } else {
      const { serveOverStdio } = await import('../../mcp/serve-stdio.ts')
      await serveOverStdio(premises, version)
    }
    return interrupted.aborted ? signalExitCode(Number(interrupted.reason)) : exitCodes.done
  },
})

function lendStore({ close }: Pick<Composition, 'close'>) {
  let borrowers = 0
  return async <T>(work: () => Promise<T>): Promise<T> => {
    borrowers++
    try {
      return await work()
    } finally {
      borrowers--
      if (borrowers === 0) await close()
    }
  }
}
