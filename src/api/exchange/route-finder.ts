interface Node<R> {
  children: Map<string, Node<R>>;
  /** The node of a parameter. */
  any?: Node<R>;
  route?: R;
  /** The route of everything below this node. */
  below?: R;
}

const PARAMETER = /^\{\w+\}$/;

/**
 * Returns a function that finds the route of a path, in a time that does not depend on the number of routes. It finds a route
 * for every path that Express routes, which ignores letter case and a slash at the end, and for a few that it does not (`//`).
 * @param routes with templates as in OpenAPI, `/v1/jobs/{id}`; one that ends in `/*` covers all paths below it
 */
export function createRouteFinder<R extends { template: string }>(
  routes: Iterable<R>,
): (path: string) => R | undefined {
  const root: Node<R> = { children: new Map() };
  for (const route of routes) {
    let node = root;
    const segments = segmentsOf(route.template);
    const below = segments.at(-1) === '*';
    for (const segment of below ? segments.slice(0, -1) : segments) {
      const isParameter = PARAMETER.test(segment);
      const next = isParameter ? node.any : node.children.get(segment);
      const child: Node<R> = next ?? { children: new Map() };
      if (isParameter) node.any = child;
      else node.children.set(segment, child);
      node = child;
    }
    if (below) node.below = route;
    else node.route = route;
  }
  return (path) => {
    let node: Node<R> | undefined = root;
    let below: R | undefined;
    for (const segment of segmentsOf(path)) {
      const { children, any }: Node<R> = node;
      node =
        children.get(segment) ?? (children.size > 0 ? children.get(segment.toLowerCase()) : undefined) ?? any;
      if (!node) return below;
      below = node.below ?? below;
    }
    return node.route ?? below;
  };
}

/** Returns the first parameter of a path, as it is in the path; `undefined` if its template has none. */
export function parameterIn(path: string, template: string): string | undefined {
  return segmentsOf(path)[segmentsOf(template).findIndex((segment) => PARAMETER.test(segment))];
}

const segmentsOf = (path: string): string[] => path.split('/').filter((segment) => segment !== '');
