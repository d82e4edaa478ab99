/** The configuration's JSON Schema, for editors. */
import { z } from 'zod';
import { INTERPOLATED, shapeOf } from './option-kinds.ts';
import type { JsonSchema } from './option-kinds.ts';
import { configOptions } from './options.ts';

/** JSON Schema (draft 2020-12) of the file as it is written: defaults are optional, interpolations pass. */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(configOptions, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const shape = shapeOf(zodSchema);
      if (shape !== undefined) Object.assign(jsonSchema, shape.json);
      // zod leaves out the default of a value that is transformed, and an enum would refuse `${env:…}`.
      if (zodSchema instanceof z.ZodDefault) jsonSchema.default = zodSchema.def.defaultValue;
      if (jsonSchema.enum !== undefined) {
        jsonSchema.anyOf = [{ enum: jsonSchema.enum }, { ...INTERPOLATED, type: 'string' }];
        delete jsonSchema.enum;
        delete jsonSchema.type;
      }
    },
  });
}
