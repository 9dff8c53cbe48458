// Installs a pinned real agent and prints its program: `node scripts/agents.mjs codex`.
// Runs on Node 20; the work is done by src/demo/ensure-agent.ts, under the project's own Node,
// which reads TypeScript.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))
const source = new URL('../src/demo/ensure-agent.ts', import.meta.url).href

/**
 * @param {'codex'} name
 * @param {{ quiet?: boolean }} [options]
 * @returns {Promise<{ bin: string, directory: string, version: string }>}
 */
export async function ensureAgent(name, options = {}) {
  const program = `
    const { ensureAgent } = await import(${JSON.stringify(source)})
    console.log(JSON.stringify(await ensureAgent(${JSON.stringify(name)}, ${JSON.stringify(options)})))`
  const child = spawn(node, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', chunk => {
    output += chunk
  })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`${name} could not be installed`)
  return JSON.parse(output)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, ...rest] = process.argv.slice(2)
  if (name !== 'codex' || rest.length > 0) {
    console.error('usage: node scripts/agents.mjs codex')
    process.exit(2)
  }
  try {
    console.log((await ensureAgent(name)).bin)
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
}
