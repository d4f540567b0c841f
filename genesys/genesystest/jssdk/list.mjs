// Lists some object types of the org at a URL with the official SDK, page by
// page, and prints the ids of each as JSON: node list.mjs URL CLIENT_ID CLIENT_SECRET
import sdk from 'purecloud-platform-client-v2';

const [, , address, clientId, clientSecret] = process.argv;
const { protocol, hostname, port } = new URL(address);
const client = sdk.ApiClient.instance;
client.setGateway({ protocol: protocol.slice(0, -1), host: hostname, port: Number(port) });
await client.loginClientCredentialsGrant(clientId, clientSecret);

const pageSize = 5;

async function numbered(list) {
  const ids = [];
  for (let pageNumber = 1; ; pageNumber++) {
    const page = await list({ pageSize, pageNumber });
    ids.push(...page.entities.map((e) => e.id));
    if (pageNumber >= page.pageCount) {
      if (ids.length !== page.total) throw new Error(`total is ${page.total}, ids are ${ids.length}`);
      return ids;
    }
  }
}

async function linked(list) {
  const ids = [];
  for (let after; ;) {
    const page = await list({ pageSize: String(pageSize), after });
    ids.push(...page.entities.map((e) => e.id));
    if (!page.nextUri) return ids;
    after = new URL(page.nextUri, address).searchParams.get('after');
  }
}

const routing = new sdk.RoutingApi();
const architect = new sdk.ArchitectApi();
const authorization = new sdk.AuthorizationApi();
const web = new sdk.WebDeploymentsApi();
const found = {
  'users': await numbered((o) => new sdk.UsersApi().getUsers({ ...o, state: 'any' })),
  'routing.queues': await numbered((o) => routing.getRoutingQueues(o)),
  'routing.skills': await numbered((o) => routing.getRoutingSkills(o)),
  'routing.wrapupcodes': await numbered((o) => routing.getRoutingWrapupcodes(o)),
  'flows': await numbered((o) => architect.getFlows(o)),
  'flows.datatables': await numbered((o) => architect.getFlowsDatatables(o)),
  'groups': await numbered((o) => new sdk.GroupsApi().getGroups(o)),
  'authorization.roles': await numbered((o) => authorization.getAuthorizationRoles(o)),
  'authorization.divisions': await numbered((o) => authorization.getAuthorizationDivisions(o)),
  'outbound.campaigns': await numbered((o) => new sdk.OutboundApi().getOutboundCampaigns(o)),
  'teams': await linked((o) => new sdk.TeamsApi().getTeams(o)),
  'webdeployments.configurations': (await web.getWebdeploymentsConfigurations({})).entities.map((e) => e.id),
  'webdeployments.deployments': await linked((o) => web.getWebdeploymentsDeployments(o)),
};

// Narrowed lists, and a search, hold what was asked for and nothing else.
const users = new sdk.UsersApi();
const two = found['routing.queues'].slice(0, 2);
const [queue] = (await routing.getRoutingQueues({ id: two.slice(0, 1) })).entities;
for (const [what, want, got] of [
  ['queues by id', two.length, (await routing.getRoutingQueues({ id: two })).total],
  ['queues by name', 1, (await routing.getRoutingQueues({ name: queue.name })).total],
  ['users by id', 1, (await users.getUsers({ id: found.users.slice(0, 1), state: 'any' })).total],
  ['users by search', found.users.length, (await users.postUsersSearch({ pageSize: 5 })).total],
]) {
  if (want !== got) throw new Error(`${what}: ${got} instead of ${want}`);
}
console.log(JSON.stringify(found));
