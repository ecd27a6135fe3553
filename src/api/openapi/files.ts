import { fileSchema } from './answers.js';
import { json, type Operation } from './operation.js';

/** `/v1/files`: uploads. */
export const fileOperations: Operation[] = [
  {
    method: 'post',
    path: '/v1/files',
    id: 'uploadFile',
    tag: 'Files',
    summary: 'Upload a file',
    description:
      'As a form with one file in the field `file`, or the bytes themselves as the body with `?name=`. The id then stands in the data of a job.',
    access: 'open',
    parameters: [
      {
        name: 'name',
        in: 'query',
        description: 'The name of the file; needed unless it is sent as a form',
        schema: { type: 'string' },
        example: 'people.csv',
      },
    ],
    body: {
      content: {
        'multipart/form-data': {
          schema: {
            type: 'object',
            properties: { file: { type: 'string', contentMediaType: 'application/octet-stream' } },
            required: ['file'],
          },
        },
        '*/*': { schema: {} },
      },
    },
    answers: {
      201: {
        description: 'It is kept',
        content: json(fileSchema, {
          id: 'file_UWsPppvnkbcgr8aG4rlV7WWDDMQ',
          name: 'people.csv',
          size: 43,
          sha256: '6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b',
        }),
      },
    },
    errors: [
      'invalid-request',
      'file-too-large',
      'upload-aborted',
      'upload-stalled',
      'disk-full',
      'internal',
    ],
  },
];
