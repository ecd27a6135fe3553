import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

type Json = Record<string, unknown>;

/** One operation of an OpenAPI document. */
export interface ContractOperation {
  id: string;
  method: string;
  path: string;
  description?: string;
  parameters: Array<{ name: string; in: string; required?: boolean; schema: Json }>;
  requestBody?: { required: boolean; content: Record<string, { schema: Json }> };
  responses: Record<
    string,
    { headers?: Record<string, Json>; content?: Record<string, { schema: Json; example?: unknown }> }
  >;
  events?: Record<string, { $ref: string }>;
  customEvents?: Record<string, { $ref: string }>;
}

/** An OpenAPI document, against which requests and responses are checked. */
export class Contract {
  readonly operations: ContractOperation[];
  private readonly ajv: Ajv2020;
  private readonly compiled = new Map<string, ValidateFunction>();
  private readonly closed: Json;

  // biome-ignore lint/suspicious/noExplicitAny: other tests check the shape of the document
  constructor(readonly document: any) {
    this.closed = closedObjects(document) as Json;
    this.ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats.default(this.ajv);
    this.ajv.addFormat('headway-file', true);
    this.ajv.addSchema(this.closed, 'document');
    this.operations = Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => this.operation(path, method, operation as Json)),
    );
  }

  byId(id: string): ContractOperation {
    const found = this.operations.find((operation) => operation.id === id);
    if (!found) throw new Error(`the document has no operation ${id}`);
    return found;
  }

  /** Validates a value against the schema at a JSON Pointer. Returns the mistakes; empty if there are none. */
  mistakes(pointer: string, value: unknown): string[] {
    let validate = this.compiled.get(pointer);
    if (!validate) {
      validate = this.ajv.compile({ $ref: `document${pointer}` });
      this.compiled.set(pointer, validate);
    }
    if (validate(value)) return [];
    return validate.errors!.map(({ instancePath, message, params }) =>
      `${instancePath || '/'} ${message} ${JSON.stringify(params)}`.slice(0, 300),
    );
  }

  /** Returns the JSON Pointer to a part of an operation. */
  pointer({ path, method }: ContractOperation, ...parts: string[]): string {
    return ['#', 'paths', path, method, ...parts].map(escaped).join('/');
  }

  /** Whether a response always has a header. */
  headerRequired(header: Json): boolean {
    return (this.resolve(header) as { required?: boolean }).required ?? false;
  }

  private operation(path: string, method: string, operation: Json): ContractOperation {
    return {
      ...(operation as unknown as ContractOperation),
      id: operation.operationId as string,
      method,
      path,
      parameters: ((operation.parameters ?? []) as Json[]).map((parameter) =>
        this.resolve(parameter),
      ) as never,
      events: operation['x-events'] as never,
      customEvents: operation['x-custom-events'] as never,
    };
  }

  private resolve(value: Json): unknown {
    if (typeof value.$ref !== 'string') return value;
    const parts = value.$ref.slice(2).split('/');
    return parts.reduce<unknown>((inner, part) => (inner as Json)[part], this.document);
  }
}

/** Escapes a token of a JSON Pointer in a URI fragment (RFC 6901, section 6). */
const escaped = (part: string): string =>
  part === '#' ? part : encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));

/**
 * Returns the document with `additionalProperties: false` in every object. Clients ignore unknown fields; a test has to
 * find fields that the document lacks.
 */
function closedObjects(value: unknown, inAllOf = false): unknown {
  if (Array.isArray(value)) return value.map((inner) => closedObjects(inner));
  if (value === null || typeof value !== 'object') return value;
  const closed = Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === 'allOf' ? (inner as unknown[]).map((part) => closedObjects(part, true)) : closedObjects(inner),
    ]),
  );
  const isObject = (value as Json).type === 'object' && 'properties' in value;
  return isObject && !inAllOf && !('additionalProperties' in value)
    ? { ...closed, additionalProperties: false }
    : closed;
}
