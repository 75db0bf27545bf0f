import { useMutation, useQueryClient } from '@tanstack/react-query'
import { api, body, type Schemas } from '../api/client.ts'
import { learnNames } from '../lib/names.ts'
import { startUpload } from './uploads.ts'

/** Makes an image; one that comes from a file begins to be sent. */
export function useCreateImage(onDone: () => void) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: async ({ request, file }: { request: Schemas['CreateImage']; file?: File }) => {
      const made = await body(api.POST('/api/v1/images', { body: request }))
      learnNames('image', [made]) // an import that fails takes the image out of the list
      if (file) startUpload(made, file, client)
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['images'] })
      onDone()
    },
  })
}
