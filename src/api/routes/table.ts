import { boardAct, signIn, wrongPassword } from '../audit/acts.js';
import type { Route, RouteTraits } from '../exchange/route.js';
import { operations } from '../openapi/document.js';
import { isStream, type Operation } from '../openapi/operation.js';
import { BOARD_PATH } from './board.js';

/** The paths outside of the API. */
const PAGES: Route[] = [
  ...['/', '/docs', '/dashboard', '/dashboard/*', '/client/*', '/assets/*'].map((template) => ({
    template,
    methods: {},
  })),
  { template: '/dashboard/sign-in', methods: { GET: { audit: signIn } } },
  { template: '/dashboard/sign-out', methods: { POST: { audit: 'admin.sign-out' } } },
  {
    template: `${BOARD_PATH}/*`,
    methods: {
      GET: { audit: wrongPassword },
      ...Object.fromEntries(
        ['POST', 'PUT', 'PATCH', 'DELETE'].map((method) => [method, { audit: boardAct }]),
      ),
    },
  },
];

/** All paths of the service. Those of the API follow from the operations of its reference. */
export function routeTable(): Route[] {
  const api = new Map<string, Route>();
  for (const operation of operations) {
    const { method, path } = operation;
    const route = api.get(path) ?? { template: path, methods: {} };
    route.methods[method.toUpperCase()] = traitsOfOperation(operation);
    api.set(path, route);
  }
  return [...api.values(), ...PAGES];
}

const traitsOfOperation = (operation: Operation): RouteTraits => ({
  stream: isStream(operation),
  startsWork: operation.startsWork,
  audit: operation.audit || undefined,
});
