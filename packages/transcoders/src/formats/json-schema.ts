// Checks a value against a JSON schema of the few words that limn's own schemas use (draft 07), with the messages that ajv has for them.

/** A schema. Fields that are not named may be there, whatever they hold. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: JsonType | readonly JsonType[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly enum?: readonly (string | number)[];
}

/** Words of `type`; finite numbers only. */
export type JsonType = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null';

/** What is wrong, and where: `/nodes/3/layer`. */
export interface SchemaFault {
  readonly path: string;
  readonly message: string;
}

/** Faults of a value, at most `most` of them; a sound value has none. */
export function schemaFaults(schema: JsonSchema, value: unknown, most = 20): readonly SchemaFault[] {
  const faults: SchemaFault[] = [];
  walk(schema, value, '', (path, message) => {
    faults.push({ path, message });
    return faults.length < most;
  });
  return faults;
}

/** Walks as deep as the schema does, and no deeper; false once no more faults are wanted. */
function walk(
  schema: JsonSchema,
  value: unknown,
  path: string,
  fault: (path: string, message: string) => boolean,
): boolean {
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.some((type) => is(type, value))) return fault(path, `must be ${types.join(',')}`);
  if (schema.enum && !schema.enum.includes(value as string))
    return fault(path, 'must be equal to one of the allowed values');
  if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0) && !fault(path, `must NOT have fewer than ${schema.minItems} items`))
      return false;
    const { items } = schema;
    return !items || value.every((item, i) => walk(items, item, `${path}/${i}`, fault));
  }
  if (typeof value !== 'object' || value === null) return true;
  const missing = (schema.required ?? []).filter((name) => !Object.hasOwn(value, name));
  if (!missing.every((name) => fault(path, `must have required property '${name}'`))) return false;
  return Object.entries(schema.properties ?? {}).every(
    ([name, of]) =>
      !Object.hasOwn(value, name) || walk(of, (value as Record<string, unknown>)[name], `${path}/${name}`, fault),
  );
}

function is(type: JsonType, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'integer':
      return Number.isInteger(value);
    case 'string':
    case 'boolean':
      return typeof value === type;
  }
}
