interface Node {
  children: Map<string, Node>;
  /** The node of a parameter. */
  any?: Node;
  template?: string;
  /** The template of everything below this node. */
  below?: string;
}

/**
 * Returns a function that finds the template of a path, in a time that does not depend on the number of templates.
 * @param templates paths with parameters as in OpenAPI, `/v1/jobs/{id}`; one that ends in `/*` covers all paths below it
 */
export function createRouteFinder(templates: Iterable<string>): (path: string) => string | undefined {
  const root: Node = { children: new Map() };
  for (const template of templates) {
    let node = root;
    const segments = segmentsOf(template);
    const below = segments.at(-1) === '*';
    for (const segment of below ? segments.slice(0, -1) : segments) {
      const next = /^\{\w+\}$/.test(segment) ? node.any : node.children.get(segment);
      const child: Node = next ?? { children: new Map() };
      if (/^\{\w+\}$/.test(segment)) node.any = child;
      else node.children.set(segment, child);
      node = child;
    }
    if (below) node.below = template;
    else node.template = template;
  }
  return (path) => {
    let node: Node | undefined = root;
    let below: string | undefined;
    for (const segment of segmentsOf(path)) {
      node = node.children.get(segment) ?? node.any;
      if (!node) return below;
      below = node.below ?? below;
    }
    return node.template ?? below;
  };
}

/** A path with a slash at its end is the same route. */
const segmentsOf = (path: string): string[] => path.split('/').filter((segment) => segment !== '');
