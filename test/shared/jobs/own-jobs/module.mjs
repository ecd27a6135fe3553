import { defineJob } from 'headway';
import { z } from 'zod';

export default defineJob({ name: 'module', input: z.object({}), result: z.unknown(), run: () => null });
