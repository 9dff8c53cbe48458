/** The walls of the house: which layer may import which. Each ban has its reason. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'src')

interface Layer {
  readonly mayImport: readonly string[]
  readonly because: string
}

/** A layer is the first folder under `src/`, or a file that stands there alone. */
const layers: Record<string, Layer> = {
  domain: { mayImport: [], because: 'decisions are pure, and tested as tables' },
  ports: { mayImport: ['domain'], because: 'a contract knows no implementation' },
  engine: {
    mayImport: ['domain', 'ports'],
    because: 'what we do must not depend on how it is done',
  },
  store: { mayImport: ['domain', 'ports'], because: 'adapters know nothing of each other' },
  process: { mayImport: ['domain', 'ports'], because: 'adapters know nothing of each other' },
  worktree: { mayImport: ['domain', 'ports'], because: 'adapters know nothing of each other' },
  agents: { mayImport: ['domain', 'ports'], because: 'an agent is one folder and one line' },
  configuration: {
    mayImport: ['domain', 'ports'],
    because: 'adapters know nothing of each other',
  },
  hosts: { mayImport: ['domain', 'ports'], because: 'adapters know nothing of each other' },
  notify: { mayImport: ['domain', 'ports'], because: 'adapters know nothing of each other' },
  demo: { mayImport: [], because: 'it uses Holdfast from outside, as anybody would' },
  surfaces: {
    mayImport: [
      'domain',
      'engine',
      'ports',
      'compose.ts',
      'demo',
      'system-clock.ts',
      'crash-here.ts',
    ],
    because: 'a surface asks for what it needs, and never builds it',
  },
  'compose.ts': {
    mayImport: [
      'domain',
      'ports',
      'store',
      'process',
      'worktree',
      'agents',
      'configuration',
      'hosts',
      'notify',
      'system-clock.ts',
      'state-directory.ts',
    ],
    because: 'the one file that knows every implementation',
  },
  'crash-here.ts': {
    mayImport: ['domain'],
    because: 'it ends its own process, and knows no other',
  },
  'system-clock.ts': { mayImport: ['ports'], because: 'it is an adapter' },
  'load.ts': { mayImport: ['state-directory.ts'], because: 'it must be small' },
  'state-directory.ts': { mayImport: [], because: 'the loader needs it alone' },
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(name =>
  name.endsWith('.ts'),
)
const layerOf = (file: string) => file.split('/')[0] ?? ''

function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(source, file), 'utf8')
  const found = text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)
  return [...found].map(match => match[1] ?? '')
}

test('every layer is known', () => {
  expect(files.map(layerOf).filter(layer => layers[layer] === undefined)).toEqual([])
})

test('imports point down only', () => {
  const broken: string[] = []
  for (const file of files) {
    const layer = layerOf(file)
    for (const target of importsOf(file)) {
      if (!target.startsWith('.')) continue
      const to = layerOf(relative(source, resolve(source, dirname(file), target)))
      if (to === layer || layers[layer]?.mayImport.includes(to)) continue
      broken.push(`${file} imports ${target}: ${layers[layer]?.because}`)
    }
  }
  expect(broken).toEqual([])
})

test('one agent does not import another', () => {
  const broken: string[] = []
  for (const file of files.filter(name => /^agents\/[^/]+\//.test(name))) {
    const own = file.split('/').slice(0, 2).join('/')
    for (const target of importsOf(file).filter(name => name.startsWith('.'))) {
      const to = relative(source, resolve(source, dirname(file), target))
      // What all agents share stands beside their folders; the list of them is for `compose.ts`.
      const isShared = /^agents\/[^/]+\.ts$/.test(to) && to !== 'agents/index.ts'
      if (to.startsWith('agents/') && !to.startsWith(`${own}/`) && !isShared) {
        broken.push(`${file} → ${to}`)
      }
    }
  }
  expect(broken).toEqual([])
})

/** Of `src/worktree`: each may import those above it. The port's own files stand beside them. */
const rooms = [
  'files', // what lies on a disk, to the byte
  'git', // what is asked of git, and what it keeps
  'capture', // a working tree as a commit, repositories inside of it included
  'base', // what a task starts from
  'make', // a worktree, its ignored files, spare ones; finding it again
  'result', // what an agent changed: collected, as a branch, replayed
  'retire', // a snapshot, the proof that it holds all, and the way out
  'apply', // a result into a checkout, and out of it again
]

test('within the worktrees imports point up only, from room to room', () => {
  const order = (file: string) => rooms.indexOf(file.split('/')[1] ?? '')
  const inRooms = files.filter(name => /^worktree\/[^/]+\//.test(name))
  expect(inRooms.filter(file => order(file) === -1)).toEqual([])
  const broken = inRooms.flatMap(file =>
    importsOf(file)
      .filter(target => target.startsWith('.'))
      .map(target => relative(source, resolve(source, dirname(file), target)))
      .filter(to => to.startsWith('worktree/') && (order(to) === -1 || order(to) > order(file)))
      .map(to => `${file} imports ${to}`),
  )
  expect(broken).toEqual([])
})

test('the domain and the ports need no package and no part of Node', () => {
  const broken = files
    .filter(file => ['domain', 'ports', 'engine'].includes(layerOf(file)))
    .flatMap(file =>
      importsOf(file)
        .filter(target => !target.startsWith('.'))
        .map(target => `${file} imports ${target}`),
    )
  expect(broken).toEqual([])
})

test('only six places start a program', () => {
  const starters = files.filter(file =>
    importsOf(file).some(target => target === 'node:child_process'),
  )
  const allowed = [
    'agents/ask-program.ts', // asks an agent for its version, or whether it is logged in
    'demo/', // plays a user
    'hosts/', // gives Claude Code's and Codex's own commands
    'notify/', // tells the user something
    'process/', // agents and the worker
    'worktree/git/git.ts', // git
  ]
  expect(starters.filter(file => !allowed.some(place => file.startsWith(place)))).toEqual([])
})
