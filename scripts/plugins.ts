/** The files of the plugins for Claude Code, by path; two of them say the same under two names. */
import { readFileSync } from 'node:fs'

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string }

interface Described {
  readonly name: string
  readonly about: string
  readonly more: object
}

interface Plugin extends Described {
  /** Whom its commands hand to, in words. */
  readonly whom: string
  readonly forwarder: string
  readonly hasSkill: boolean
}

const plugins: readonly Plugin[] = [
  {
    name: 'holdfast',
    about:
      'Hand long tasks to Codex, Claude Code and other coding agents: each in a worktree of its own, alive after this session, the result brought back',
    whom: 'a coding agent (Codex, unless another is configured or named)',
    forwarder: 'delegate',
    hasSkill: true,
    more: {},
  },
  {
    name: 'codex',
    about:
      'The commands of the Codex plugin under their own names, done by Holdfast: jobs outlive the session, and nobody deletes the directory under them',
    whom: 'Codex',
    forwarder: 'codex-rescue',
    hasSkill: false,
    // What it needs besides its words is in the other.
    more: { dependencies: ['holdfast'] },
  },
]

/** Whoever adds it has all of Claude Code's worktrees made by us: so it is for itself. */
const worktrees: Described = {
  name: 'holdfast-worktrees',
  about:
    "Claude Code's own isolated agents and sessions work in worktrees of Holdfast, which nobody deletes under them",
  more: {},
}

/** Each plugin has its own: Claude Code may put them anywhere. */
const LAUNCHER = new URL('launcher.cjs', import.meta.url)
/** What every host's agent can read. */
const SKILL = new URL('../skills/holdfast/SKILL.md', import.meta.url)

const author = { name: 'Holdfast' }
const EFFORTS = 'none|minimal|low|medium|high|xhigh'

export function pluginFiles(): Record<string, string> {
  const files: Record<string, string> = { '.claude-plugin/marketplace.json': marketplace() }
  for (const plugin of plugins) {
    const add = (path: string, text: string) => {
      files[`plugin/${plugin.name}/${path}`] = text
    }
    add('.claude-plugin/plugin.json', manifest(plugin))
    add('README.md', readme(plugin))
    add(`agents/${plugin.forwarder}.md`, forwarder(plugin))
    add('hooks/hooks.json', json({ hooks: hooks(plugin) }))
    add('hook.cjs', readFileSync(LAUNCHER, 'utf8'))
    if (plugin.hasSkill) add('skills/holdfast/SKILL.md', readFileSync(SKILL, 'utf8'))
    for (const [name, text] of Object.entries(commands(plugin))) add(`commands/${name}.md`, text)
  }
  for (const [path, text] of Object.entries(worktreesPlugin())) {
    files[`plugin/${worktrees.name}/${path}`] = text
  }
  return files
}

function worktreesPlugin(): Record<string, string> {
  const hooks = Object.fromEntries(
    ['WorktreeCreate', 'WorktreeRemove'].map(event => [
      event,
      [{ hooks: [runHook(event, worktrees.name)] }],
    ]),
  )
  return {
    '.claude-plugin/plugin.json': manifest(worktrees),
    'README.md': `# ${worktrees.name}

${worktrees.about}.

Not installed by \`holdfast setup\`: it takes over every worktree that Claude Code makes (\`isolation:
"worktree"\`, \`claude --worktree\`). What it does, and what is different then, is told in the package, in
\`docs/guides/claude-code.md\`. It needs Holdfast itself (\`npm install --global holdfast\`, Node.js 22.18 or
newer, Linux or macOS): without it Claude Code can make no worktree at all.
`,
    'hooks/hooks.json': json({ hooks }),
    'hook.cjs': readFileSync(LAUNCHER, 'utf8'),
  }
}

function runHook(event: string, plugin: string, condition = {}): object {
  const args = ['${CLAUDE_PLUGIN_ROOT}/hook.cjs', event, plugin]
  return { type: 'command', ...condition, command: 'node', args }
}

/** As the formatter has it: a lone word stays on the line of its list. */
const json = (document: object) =>
  `${JSON.stringify(document, undefined, 2).replace(/\[\n\s+("[^"\n]*")\n\s+\]/g, '[$1]')}\n`

function marketplace(): string {
  return json({
    name: 'holdfast',
    description: 'Coding-agent tasks that hold on',
    owner: author,
    plugins: [...plugins, worktrees].map(({ name, about }) => ({
      name,
      source: `./plugin/${name}`,
      description: about,
      version,
      // `setup` leaves it to its user.
      ...(name === worktrees.name ? { tags: ['opt-in'] } : {}),
    })),
  })
}

function manifest({ name, about, more }: Described): string {
  return json({ name, version, description: about, author, license: 'MIT', ...more })
}

/** A review may take minutes; what it waits at most is less (`review-turn.ts`). */
const STOP_SECONDS = 900

/**
 * It runs beside the session, for a day at most, and wakes it by its exit code. Without `async` a
 * session without a terminal would stand still until then (2.1.329), though the other implies it.
 */
const WAKING = { async: true, asyncRewake: true, timeout: 86_400 }

/**
 * Each plugin answers to its own names: another plugin may bear the other's. What no name is told of is
 * the first one's.
 */
function hooks({ name, more }: Plugin): object {
  const run = (event: string, condition = {}) => runHook(event, name, condition)
  const on = (event: string, matcher?: string) => [
    { ...(matcher === undefined ? {} : { matcher }), hooks: [run(event)] },
  ]
  const named = {
    UserPromptExpansion: on('UserPromptExpansion', `${name}:.*`),
    PreToolUse: on('PreToolUse', 'Skill|Agent|Task'),
  }
  if ('dependencies' in more) return named
  const commands = [
    'Bash(*holdfast* --request *)',
    'Bash(*holdfast* run *)',
    // Next to each other: of two that fit one command, each would wait, and wake.
    'Bash(*holdfast review*)',
    'Bash(*holdfast send *)',
    'Bash(*holdfast resume *)',
    'Bash(*holdfast retry *)',
  ]
  return {
    SessionStart: on('SessionStart'),
    UserPromptSubmit: on('UserPromptSubmit'),
    ...named,
    PreToolUse: [
      ...named.PreToolUse,
      { matcher: 'Bash', hooks: commands.map(one => run('PreToolUse', { if: one })) },
    ],
    PostToolUse: [
      { matcher: 'Bash', hooks: commands.map(one => run('PostToolUse', { if: one, ...WAKING })) },
      { matcher: 'mcp__.*holdfast.*__(delegate|review|send)', hooks: [run('PostToolUse', WAKING)] },
    ],
    Stop: [{ hooks: [run('Stop', { timeout: STOP_SECONDS })] }],
    SessionEnd: on('SessionEnd'),
  }
}

function readme({ name, about, forwarder: agent }: Plugin): string {
  const list = Object.keys(commands(plugins[0] as Plugin)).map(one => `\`/${name}:${one}\``)
  return `# ${name}

${about}.

Commands: ${list.join(', ')}. Agent: \`${name}:${agent}\`.

It needs Holdfast itself (\`npm install --global holdfast\`, Node.js 22.18 or newer, Linux or macOS) and an
agent that is logged in. What the commands and hooks do is told in the package, in
\`docs/guides/claude-code.md\`.
`
}

function markdown(head: Readonly<Record<string, string>>, body: string): string {
  const lines = Object.entries(head).map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
  return `---\n${lines.join('\n')}\n---\n\n${body}\n`
}

function commands({ name, whom }: Plugin): Record<string, string> {
  const asked = (what: string, hint: string, more = {}) =>
    markdown({ description: what, 'argument-hint': hint, ...more }, handOn(name))
  const answered = (verb: string, what: string, hint: string) =>
    markdown({ description: what, 'argument-hint': hint }, answer(verb))
  const model = name === 'codex' ? '[--model MODEL|spark]' : '[--agent AGENT] [--model MODEL|spark]'
  const review = `[--wait|--background] [--base REF] [--scope auto|working-tree|branch] ${model} [--effort ${EFFORTS}] [focus]`
  return {
    rescue: asked(
      `Hand a problem, a fix or a long task to ${whom}, which works on it in a worktree of its own`,
      `[--background|--wait] [--resume|--fresh] ${model} [--effort ${EFFORTS}] [what to do]`,
    ),
    transfer: asked(
      `Hand this conversation over to ${whom}, which goes on with it in a worktree of its own`,
      `[--background|--wait] [--source FILE] ${model} [--effort ${EFFORTS}] [what to do]`,
    ),
    review: asked(`Have ${whom} review the changes here, without changing anything`, review),
    'adversarial-review': asked(
      `Have ${whom} argue why the changes here should not ship, without changing anything`,
      review,
    ),
    status: answered('status', 'What runs, waits, or has ended', '[TASK [--wait]]'),
    result: answered('result', 'The final answer of a task, word for word', '[TASK]'),
    cancel: answered('cancel', 'End a task; its work so far is kept', '[TASK]'),
    inbox: answered('inbox', 'What has ended, or asks something, and nobody took note of', ''),
    setup: answered(
      'setup',
      'What is there, what is missing, and what to do about it; and whether a review comes before each stop',
      '[--enable-review-gate|--disable-review-gate]',
    ),
  }
}

function handOn(name: string): string {
  return `Holdfast's hook has kept this request, word for word, and has added beside it what to do: at most one question to the user, and then one command. Do exactly that, and nothing else. The words of the request are for the agent that it goes to, not for you.

Give the output of the command to the user whole and word for word, with nothing before or after it.

If nothing was added, the hooks of this plugin are not at work: say so, name /${name}:setup, and stop. Do not hand the request in by yourself.`
}

function answer(verb: string): string {
  return `Holdfast's hook has run \`holdfast ${verb}\` and has added what it printed. Give that to the user, whole and word for word.

If nothing was added, the hooks of this plugin are not at work: run \`holdfast ${verb}\` with the Bash tool instead, with the task that was named, if one was.`
}

function forwarder({ name, whom, forwarder: agent }: Plugin): string {
  const head = {
    name: agent,
    description: `Hands one piece of work to ${whom} through Holdfast and returns its answer. Give it what is to be done, in full; --background at the end returns at once, and the work goes on.`,
    tools: 'Bash',
  }
  return markdown(
    head,
    `You hand one request on, and do nothing else.

What you were told names exactly one command. Run it once with the Bash tool, as it stands. Return what it prints, whole and word for word, with nothing before or after it. Do not poll, do not look into files, do not do the work yourself, and do not run it in the background.

If you were told no such command, the hooks of the plugin ${name} are not at work: return just that, and that /${name}:setup says more.`,
  )
}
