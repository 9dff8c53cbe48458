/** Hosts for tests: stand-ins for their programs, and a package with the plugins of Claude Code. */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const standIn = fileURLToPath(new URL('../fixtures/plugin-host.mjs', import.meta.url))

export interface HostState {
  readonly marketplaces: Readonly<Record<string, string>>
  readonly plugins: Readonly<Record<string, boolean>>
}

/** A stand-in for `claude` or `codex`, on a directory of the PATH; what it was told, and how. */
export function putPluginHost(scratch: string, kind: 'claude' | 'codex') {
  const directory = join(scratch, `${kind}-stand-in`)
  mkdirSync(directory, { recursive: true })
  const words = [process.execPath, standIn, kind, directory].map(word => `'${word}'`).join(' ')
  putProgram(scratch, kind, `exec ${words} "$@"`)
  return {
    directory,
    state: (): HostState => {
      const file = join(directory, 'state.json')
      return existsSync(file)
        ? JSON.parse(readFileSync(file, 'utf8'))
        : { marketplaces: {}, plugins: {} }
    },
    set: (state: HostState) => writeFileSync(join(directory, 'state.json'), JSON.stringify(state)),
    refuse: (words: string) => writeFileSync(join(directory, 'refuse'), words),
    /** Since it was asked last, without those that only look. */
    changes(): readonly string[] {
      const file = join(directory, 'calls')
      const calls = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
      writeFileSync(file, '')
      return calls.filter(call => call.startsWith('plugin') && !call.endsWith('list --json'))
    },
  }
}

/** `script`: what it does, for `sh`. */
export function putProgram(scratch: string, name: string, script = 'exit 0'): void {
  const bin = join(scratch, 'bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(bin, name), 0o755)
}

/** A PATH with the stand-ins of `scratch` in front, and without OpenCode. */
export function pathWith(scratch: string): string {
  const isBare = (directory: string) =>
    ['/usr/bin', '/bin'].includes(directory) || !existsSync(join(directory, 'opencode'))
  const directories = (process.env.PATH ?? '').split(':').filter(isBare)
  return [join(scratch, 'bin'), dirname(process.execPath), ...directories].join(':')
}

/** A package like ours, whose plugins for Claude Code are empty ones; its directory. */
export function putPackage(directory: string): { root: string; entry: string } {
  mkdirSync(join(directory, 'bin'), { recursive: true })
  const entry = join(directory, 'bin/holdfast.cjs')
  copyFileSync(join(root, 'bin/holdfast.cjs'), entry)
  symlinkSync(join(root, 'dist'), join(directory, 'dist'))
  for (const name of ['skills', 'agent-plugin', '.agents']) {
    cpSync(join(root, name), join(directory, name), { recursive: true })
  }
  const plugins = ['holdfast', 'codex'].map(name => ({ name, source: `./plugin/${name}` }))
  for (const { name, source } of plugins) {
    mkdirSync(join(directory, source, '.claude-plugin'), { recursive: true })
    const manifest = { name, version: '0.0.1', description: 'nothing' }
    const file = join(directory, source, '.claude-plugin/plugin.json')
    writeFileSync(file, JSON.stringify(manifest))
  }
  mkdirSync(join(directory, '.claude-plugin'))
  const marketplace = { name: 'holdfast', owner: { name: 'Holdfast' }, plugins }
  writeFileSync(join(directory, '.claude-plugin/marketplace.json'), JSON.stringify(marketplace))
  return { root: directory, entry }
}
