// Installs pinned real agents and prints their programs: `node scripts/agents.mjs codex claude`.
// Runs on Node 20; the work is done by src/demo/ensure-agent.ts, under the project's own Node,
// which reads TypeScript.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))
const source = new URL('../src/demo/ensure-agent.ts', import.meta.url).href

const program = `
  const { ensureAgent, PINNED_AGENTS } = await import(${JSON.stringify(source)})
  const names = process.argv.slice(1)
  if (names.length === 0 || names.some(name => !PINNED_AGENTS.includes(name))) {
    console.error('usage: node scripts/agents.mjs NAME...   of ' + PINNED_AGENTS.join(', '))
    process.exit(2)
  }
  try {
    for (const name of names) console.log((await ensureAgent(name)).bin)
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }`

spawn(node, ['--input-type=module', '--eval', program, '--', ...process.argv.slice(2)], {
  stdio: 'inherit',
}).once('close', code => {
  process.exitCode = code ?? 1
})
