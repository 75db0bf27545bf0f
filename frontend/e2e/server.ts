import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const repository = fileURLToPath(new URL('../..', import.meta.url)) // build/images is found from here
const binary = process.env.NOVACRON_BIN ?? fileURLToPath(new URL('../../bin/novacron', import.meta.url))

export const password = 'a long phrase for the tests'

const given = new Set<number>()

/** A free port below those that the system gives to connections that go out: nobody gets it by chance before the server has it, or
 * while it starts again. None is given twice, since the server of the first may not have taken it yet. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 11_000 + Math.floor(Math.random() * 20_000) // 10080 is one that browsers refuse
    if (given.has(port)) continue
    const server = createServer()
    const free = new Promise<boolean>((done) => server.once('listening', () => done(true)).once('error', () => done(false)))
    server.listen(port, '127.0.0.1')
    if (!(await free)) continue
    server.close()
    await once(server, 'close')
    given.add(port)
    return port
  }
}

/** A platform of its own: the real binary with one simulated node (or a real one), a data folder and four ports. */
export class Server {
  readonly url: string
  readonly setupLink: () => string
  private readonly env: NodeJS.ProcessEnv
  private readonly args: string[]
  private readonly folder: string
  private process: ChildProcess | undefined
  private readonly nodes: ChildProcess[] = []
  private output = ''

  private constructor(folder: string, ports: number[], args: string[], extra: NodeJS.ProcessEnv) {
    const [api, ws, console, node] = ports.map((p) => `127.0.0.1:${p}`)
    this.folder = folder
    this.args = args
    this.url = `http://localhost:${ports[2]}` // by name: browsers make no passkeys for an address
    this.env = {
      PATH: process.env.PATH,
      HOME: folder,
      NOVACRON_DATA_DIR: folder,
      NOVACRON_API_ADDR: api,
      NOVACRON_WS_ADDR: ws,
      NOVACRON_CONSOLE_ADDR: console,
      NOVACRON_NODE_ADDR: node,
      NOVACRON_PUBLIC_URL: this.url,
      NOVACRON_LIMIT_LOGIN: 'off',
      NOVACRON_LIMIT_API: 'off',
      NOVACRON_LIMIT_WS: 'off',
      ...extra,
    }
    this.setupLink = () => /http\S+\/setup#\S+/.exec(this.output)?.[0] ?? ''
  }

  static async start(args: string[] = ['--sim'], extra: NodeJS.ProcessEnv = {}): Promise<Server> {
    const folder = await mkdtemp(`${tmpdir()}/novacron-e2e-`)
    const ports = [await freePort(), await freePort(), await freePort(), await freePort()]
    const server = new Server(folder, ports, args, extra)
    await server.run()
    return server
  }

  async run() {
    const child = spawn(binary, ['up', ...this.args], {
      env: this.env,
      cwd: repository,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.process = child
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (this.output += text))
    const gone = once(child, 'exit').then(() => {
      throw new Error(`novacron up ended:\n${this.output}`)
    })
    await Promise.race([this.answers(), gone])
    gone.catch(() => undefined)
  }

  private async answers() {
    for (const end = Date.now() + 60_000; Date.now() < end; ) {
      if (
        await fetch(`${this.url}/api/ready`).then(
          (r) => r.ok,
          () => false,
        )
      )
        return
      await new Promise((go) => setTimeout(go, 50))
    }
    throw new Error(`novacron up did not get ready:\n${this.output}`)
  }

  async createUser(name: string, role: 'administrator' | 'operator' | 'developer' | 'viewer') {
    const child = execFile(
      binary,
      ['admin', 'create-user', name, '--email', `${name}@example.org`, '--role', role, '--password-stdin'],
      { env: this.env },
    )
    child.stdin?.end(password)
    let told = ''
    child.stderr?.on('data', (text) => (told += text))
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`create-user ${name} ended with ${code}: ${told}`)
  }

  /** Makes this machine one more node, with the command that the console shows for it. Guests of that node would be real. */
  join(command: string) {
    const [, ...args] = command.trim().split(/\s+/) // behind the name of the program
    const env = { ...this.env, NOVACRON_DATA_DIR: `${this.folder}/joined` }
    const node = spawn(binary, args, { env, cwd: repository, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [node.stdout, node.stderr]) stream.on('data', (text) => (this.output += text))
    this.nodes.push(node)
  }

  /** Writes into a database behind the server's back what only time or a fault of the machine would have left there. */
  store(database: 'novacron' | 'sessions', statement: string, ...values: (string | number)[]) {
    const file = new DatabaseSync(`${this.folder}/${database}.db`, { timeout: 20_000 })
    try {
      file.prepare(statement).run(...values)
    } finally {
      file.close()
    }
  }

  /** The link of the newest mail of the kind to the address, as `novacron mail list` shows it while no SMTP server is set. */
  async mailLink(kind: string, to: string): Promise<string> {
    const { stdout } = await promisify(execFile)(binary, ['mail', 'list', '-o', 'json'], { env: this.env })
    const mails = JSON.parse(stdout) as { kind: string; to: string; link?: string }[]
    return mails.find((m) => m.kind === kind && m.to === to)?.link ?? ''
  }

  private get runs() {
    return this.process?.exitCode === null && this.process.signalCode === null
  }

  /** Ends the process and keeps the data, as a crash of the machine does. */
  async kill() {
    if (!this.process || !this.runs) return
    const gone = once(this.process, 'exit')
    this.process.kill('SIGKILL')
    await gone
  }

  async stop() {
    for (const node of this.nodes) {
      if (node.exitCode !== null || node.signalCode !== null) continue
      const gone = once(node, 'exit')
      node.kill('SIGTERM')
      await gone
    }
    const child = this.process
    if (child && this.runs) {
      const gone = once(child, 'exit').then(() => true)
      // Simulated guests end with their process, at once. Real ones would run on.
      if (this.args.includes('--sim')) child.kill('SIGTERM')
      else await once(execFile(binary, ['down'], { env: this.env }), 'exit')
      const ended = await Promise.race([gone, new Promise((go) => setTimeout(go, 60_000, false).unref())])
      await this.kill()
      if (!ended) throw new Error(`novacron up did not end when it was asked to:\n${this.output}`)
    }
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** The API as a program sees it, for making what a story needs and for holding the screen against. */
export class Client {
  private readonly url: string
  private token = ''
  private again: (() => Promise<unknown>) | undefined

  constructor(url: string) {
    this.url = url
  }

  async login(username: string, phrase = password) {
    this.again = undefined
    this.token = ''
    const answer = (await this.send('POST', '/api/auth/login', {
      username,
      password: phrase,
    })) as { access_token: string }
    this.token = answer.access_token
    this.again = () => this.login(username, phrase)
    return this
  }

  async send(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        'Content-Type': 'application/json',
        ...(this.token ? { Authorization: `Bearer ${this.token}` } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    // The stories of one worker may take longer than a token lives, or than a sign-in is proof. One that was taken away is not got back.
    if (this.again && /"(token_expired|proof_needed)"/.test(text)) {
      await this.again()
      return this.send(method, path, body)
    }
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text ? JSON.parse(text) : undefined
  }

  /** Sends the bytes of an image and waits until it can be used. */
  async upload(image: string, bytes: Buffer) {
    const response = await fetch(`${this.url}/api/v1/images/${image}/data`, {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0', Authorization: `Bearer ${this.token}` },
      body: new Uint8Array(bytes),
    })
    if (!response.ok) throw new Error(`upload of ${image}: ${response.status} ${await response.text()}`)
    await this.imageReady(image)
  }

  /** Waits until the tiny image can be used. */
  async tinyReady() {
    await this.imageReady('tiny')
  }

  private async imageReady(image: string) {
    for (const end = Date.now() + 60_000; Date.now() < end; ) {
      const { items } = (await this.send('GET', '/api/v1/images')) as { items: { id: string; name: string; state: string }[] }
      if (items.some((i) => (i.id === image || i.name === image) && i.state === 'ready')) return
      await new Promise((go) => setTimeout(go, 50))
    }
    throw new Error(`the image ${image} did not get ready; make build builds the tiny one`)
  }

  async createVM(name: string, more: Record<string, unknown> = {}): Promise<{ id: string; name: string }> {
    return (await this.send('POST', '/api/v1/vms?wait=30s', {
      name,
      image: 'tiny',
      memory_mib: 256,
      ...more,
    })) as { id: string; name: string }
  }
}
