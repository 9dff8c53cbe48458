import { AppError } from '../../../domain/errors.ts'
import type { NamedRole } from '../../../domain/set-up.ts'
import type { FoundCommand } from '../../../ports/trust.ts'
import { findCheckout } from '../../common-git-dir.ts'
import { type ReadCommands, requireCommands } from '../../set-up-wish.ts'
import { isTerminal } from '../../terminal.ts'
import { type CommandContext, defineCommand, jsonFlag, refuseWords } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'

const flags = {
  yes: { about: 'trust it without being asked', short: 'y' },
  list: { about: 'show everything that you trust' },
  revoke: { about: 'trust nothing of this repository any more' },
  ...jsonFlag,
} as const

type Given = { readonly [Name in keyof typeof flags]?: true }

export const trust = defineCommand({
  name: 'trust',
  group: 'Keep house',
  summary: 'Look at the commands that this repository names, and let them run',
  usage: 'trust',
  flags,
  examples: ['holdfast trust', 'holdfast trust --list', 'holdfast trust --revoke'],
  async run({ flags: given, words }, context) {
    refuseWords(words, 'trust')
    const acts = (['yes', 'list', 'revoke'] as const).filter(name => given[name] === true)
    if (acts.length > 1) {
      throw new AppError('bad_usage', `--${acts[0]} and --${acts[1]} exclude each other`)
    }
    if (given.list === true) return await showAll(given, context)
    const checkout = findCheckout(context.directory)
    if (checkout === undefined) {
      throw new AppError('not_a_repository', `${context.directory} is in no checkout`, {
        hint: 'holdfast trust --list shows what you trust anywhere',
      })
    }
    if (given.revoke === true) return await revoke(checkout.commonDir, given, context)
    return await lookAndAsk(checkout, given, context)
  },
})

async function showAll(given: Given, { holdfast, output }: CommandContext): Promise<number> {
  const all = (await holdfast.trust()).list()
  if (given.json === true) {
    const shown = all.map(({ at, ...one }) => ({
      repository: one.repository,
      argv: [...one.argv],
      scripts: [...one.scripts],
      trustedAt: new Date(at).toISOString(),
    }))
    output.writeJson({ trusted: shown })
    return exitCodes.done
  }
  if (all.length === 0) output.tell('you trust nothing yet')
  for (const { repository, argv, at } of all) {
    output.write(`${repository}: ${plainly(argv.join(' '))}  (${new Date(at).toISOString()})\n`)
  }
  return exitCodes.done
}

async function revoke(
  repository: string,
  given: Given,
  { holdfast, output }: CommandContext,
): Promise<number> {
  const revoked = await (await holdfast.trust()).revoke(repository)
  if (given.json === true) output.writeJson({ repository, revoked })
  else {
    output.tell(
      revoked === 0
        ? `nothing of ${repository} was trusted`
        : `nothing of ${repository} is trusted any more`,
    )
  }
  return exitCodes.done
}

async function lookAndAsk(
  { root, commonDir }: { readonly root: string; readonly commonDir: string },
  given: Given,
  context: CommandContext,
): Promise<number> {
  const { holdfast, output, now } = context
  const configuration = await holdfast.configuration(root)
  const found = await requireCommands(root, configuration, context)
  const named = Object.values(found).filter(command => command !== undefined)
  const ledger = await holdfast.trust()
  const isTrusted = () =>
    named.length > 0 && named.every(({ digest }) => ledger.isTrusted(commonDir, digest))
  const show = () => {
    if (given.json === true) output.writeJson(viewFound(commonDir, found, isTrusted()))
  }
  if (named.length === 0) {
    show()
    output.tell(`${root} names no command: there is nothing to trust`)
    output.tell('next: holdfast init')
    return exitCodes.done
  }
  if (given.json !== true) output.write(describe(found, root))
  if (found.verify !== undefined) await tellUnheld(context)
  if (isTrusted()) {
    show()
    output.tell('you trust this already; to take that back: holdfast trust --revoke')
    return exitCodes.done
  }
  if (given.yes !== true && !(await agrees(given, describeWhen(found), context))) {
    show()
    output.tell('it is not trusted, and does not run')
    return exitCodes.refused
  }
  refuseAgents(context)
  // Unreadable: said now, before it is believed that it was written.
  ledger.list()
  for (const { argv, digest, scripts } of named) {
    const paths = scripts.map(({ path }) => path)
    await ledger.add({ repository: commonDir, digest, argv, scripts: paths, at: now() })
  }
  show()
  output.tell(`trusted, as it is now: ${describeWhen(found)}; once it changes, it does not`)
  output.tell('next: holdfast run "…"')
  return exitCodes.done
}

/** Where nothing could hold it, tasks are refused for it. */
async function tellUnheld({ holdfast, output }: CommandContext): Promise<void> {
  try {
    await (await holdfast.confinement()).requireWorking()
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    output.tell(`here, what is to be verified would need --permissions full: ${error.message}`)
  }
}

/** When what is trusted runs. */
function describeWhen(found: ReadCommands): string {
  const when = [
    ...(found['set-up'] === undefined ? [] : ['in each new worktree, before the agent']),
    ...(found['clean-up'] === undefined ? [] : ['before a worktree is put away']),
    ...(found.verify === undefined ? [] : ['on what an agent has done, held as that agent is']),
  ]
  return `it runs ${when.join(', and ')}`
}

function viewFound(repository: string, found: ReadCommands, trusted: boolean) {
  return {
    repository,
    trusted,
    setUp: viewCommand(found['set-up']),
    cleanUp: viewCommand(found['clean-up']),
    verify: viewCommand(found.verify),
  }
}

function viewCommand(found: FoundCommand | undefined) {
  if (found === undefined) return null
  const { from, argv, scripts } = found
  const shown = scripts.map(({ path, bytes }) => {
    return { path, content: new TextDecoder().decode(bytes) }
  })
  return { from, argv: [...argv], scripts: shown }
}

function describe(found: ReadCommands, root: string): string {
  const parts = (['set-up', 'clean-up', 'verify'] as const).flatMap(role => {
    const command = found[role]
    return command === undefined ? [] : [describeCommand(role, command, root)]
  })
  return parts.join('')
}

function describeCommand(
  role: NamedRole,
  { argv, scripts, from }: FoundCommand,
  root: string,
): string {
  const words = argv.map(word => (/[\s'"]/.test(word) ? JSON.stringify(word) : word))
  const files = scripts.flatMap(({ path, bytes }) => {
    const lines = new TextDecoder().decode(bytes).replace(/\n$/, '').split('\n')
    return ['', `${plainly(path)}:`, ...lines.map(line => `  | ${plainly(line)}`)]
  })
  const lines = [
    `${root} names this ${role === 'verify' ? 'verification' : role} (${from}):`,
    '',
    `  ${plainly(words.join(' '))}`,
    ...files,
  ]
  return `${lines.join('\n')}\n\n`
}

/** An agent that trusts in its user's place would be asked by what it is about to run. */
function refuseAgents({ caller }: CommandContext): void {
  if (caller.kind !== 'task') return
  throw new AppError('refused_in_state', 'a task cannot give trust: that is for the user', {
    hint: 'in a terminal of yours: holdfast trust',
  })
}

/** With nothing in it that a terminal obeys, nor that turns the order of letters round. */
function plainly(text: string): string {
  return text.replace(/(?!\t)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, character => {
    const code = character.codePointAt(0)?.toString(16) ?? ''
    return `\\u{${code}}`
  })
}

/** No without a terminal: nobody has looked. */
async function agrees(
  given: Given,
  when: string,
  { output, stdin }: CommandContext,
): Promise<boolean> {
  if (given.json === true || !isTerminal(0)) {
    output.tell('nobody can be asked here; to trust it all the same: holdfast trust --yes')
    return false
  }
  output.tell(`Once trusted, ${when}. Trust it? [y/N]`)
  for await (const answer of stdin) return /^y(?:es)?\s*$/i.test(String(answer))
  return false
}
