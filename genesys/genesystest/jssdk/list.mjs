// Lists and reads every object type of the org at a URL with the official SDK:
//
//	node list.mjs URL CLIENT_ID CLIENT_SECRET < types.json
//
// The types come as the catalogue has them. Each is listed by the SDK's method
// for its path, page by page, and its first objects are read by ID. It prints,
// for each type, the IDs of each list, those that were read, or why it has none.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import sdk from 'purecloud-platform-client-v2';

const [, , address, clientId, clientSecret] = process.argv;
const { protocol, hostname, port } = new URL(address);
const client = sdk.ApiClient.instance;
client.setGateway({ protocol: protocol.slice(0, -1), host: hostname, port: Number(port) });
await client.loginClientCredentialsGrant(clientId, clientSecret);

// methods maps "GET /api/v2/users/{}" to the SDK's method for it, from its source.
const methods = new Map();
const root = dirname(createRequire(import.meta.url).resolve('purecloud-platform-client-v2/package.json'));
const folder = join(root, 'src', 'purecloud-platform-client-v2', 'api');
for (const file of readdirSync(folder)) {
  const api = file.replace('.js', '');
  if (!sdk[api]) continue;
  const source = readFileSync(join(folder, file), 'utf8');
  const call = /\n\t(\w+)\(([^)]*)\) \{[^\n]*\n(?:(?!\n\t\}).)*?callApi\(\s*'([^']+)',\s*'(\w+)'/gs;
  for (const [, name, args, path, method] of source.matchAll(call)) {
    const list = args.split(',').map((a) => a.trim()).filter((a) => a);
    methods.set(`${method} ${shape(path)}`, { api, name, args: list, path });
  }
}

function shape(path) { return path.replace(/\{[^}]*\}/g, '{}').toLowerCase(); }

const instances = {};
async function call(key, values, body, options) {
  const m = methods.get(key);
  const api = (instances[m.api] ??= new sdk[m.api]());
  const inPath = [...m.path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1]);
  const args = m.args.map((name) => {
    if (name === 'opts') return { ...options, ...(m.args.includes('body') ? {} : { body }) };
    if (name === 'body') return body;
    const i = inPath.indexOf(name);
    return i >= 0 ? values[i] : options[name];
  });
  return api[m.name](...args);
}

function at(value, path) {
  return path === '.' ? value : path.split('.').reduce((v, name) => v?.[name], value);
}

// idOf is the own part of an object's ID.
function idOf(type, object) {
  return type.id.map((path) => String(at(object, path))).join('\0');
}

async function walk(type, values, fixed) {
  const [param, field] = type.token.split('=');
  const counts = type.paging === 'page' || type.token === 'pageNumber';
  const size = Math.max(param === 'cursor' ? 10 : 3, type.size);
  const found = [];
  for (let next = counts ? 1 : undefined, requests = 0; ; requests++) {
    if (requests > 100) throw new Error('endless');
    const paging = {};
    if (type.paging !== 'none' && type.paging !== 'singleton') {
      paging[param === 'cursor' ? 'limit' : 'pageSize'] = size;
      if (counts) paging.pageNumber = next;
      else if (next) paging[param] = next;
    }
    const post = type.method === 'POST';
    const answer = await call(type.key, values, post ? { ...type.body, ...paging } : undefined, post ? fixed : { ...fixed, ...paging });
    if (type.paging === 'singleton') return [answer];
    found.push(...at(answer, type.items));
    if (type.paging === 'none') return found;
    if (counts) {
      if (answer.total !== undefined && found.length > answer.total) throw new Error(`total ${answer.total} < ${found.length}`);
      const last = answer.pageCount === undefined ? !answer.nextUri : next >= answer.pageCount;
      if (last) return found;
      next++;
    } else if (type.paging === 'nextUri') {
      if (!answer.nextUri) return found;
      next = new URL(answer.nextUri, address).searchParams.get(param);
    } else {
      next = at(answer, field);
      if (!next) return found;
    }
  }
}

async function check(type) {
  if (!methods.has(type.key)) return { none: `no method for ${type.key}` };
  const lists = [];
  let read = 0;
  for (const list of type.lists ?? []) {
    const objects = [];
    for (const fixed of list.queries) objects.push(...(await walk(type, list.values, fixed)));
    lists.push(type.paging === 'singleton' ? objects.map(() => '') : objects.map((o) => idOf(type, o)));
    for (const get of list.gets ?? []) {
      const object = await call(type.get, get.values, undefined, type.getQuery);
      if (type.whole && idOf(type, object) !== get.id) throw new Error(`read ${idOf(type, object)} instead of ${get.id}`);
      read++;
    }
  }
  return { lists, read };
}

const types = JSON.parse(readFileSync(0, 'utf8'));
const found = {};
await Promise.all(types.map(async (type) => {
  try {
    found[type.name] = await check(type);
  } catch (e) {
    found[type.name] = { error: String(e?.message ?? e?.body?.message ?? e) };
  }
}));

// Narrowed lists, and a search, hold what was asked for and nothing else.
const routing = new sdk.RoutingApi();
const users = new sdk.UsersApi();
const all = (await routing.getRoutingQueues({ pageSize: 100 })).entities;
const people = (await users.getUsers({ pageSize: 100, state: 'any' })).entities;
for (const [what, want, got] of [
  ['queues by id', 2, (await routing.getRoutingQueues({ id: all.slice(0, 2).map((q) => q.id) })).total],
  ['queues by name', 1, (await routing.getRoutingQueues({ name: all[0].name })).total],
  ['users by id', 1, (await users.getUsers({ id: [people[0].id], state: 'any' })).total],
  ['users by search', people.length, (await users.postUsersSearch({ pageSize: 5 })).total],
]) {
  if (want !== got) throw new Error(`${what}: ${got} instead of ${want}`);
}
console.log(JSON.stringify(found));
