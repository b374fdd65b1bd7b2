//! Names of images in launch templates (`resolve:ssm:...`), which moto does not resolve.

use super::Aws;
use super::strict::{Stop, Strict};
use crate::http_server::{self, Body};
use bytes::Bytes;
use http::{Request, Response, header};

impl Aws {
    /// From now on this name of an image (`resolve:ssm:/nodes`) stands for this image in templates.
    pub fn name_image(&self, name: &str, image: &str) {
        let (name, image) = (name.to_owned(), image.to_owned());
        self.strict.knobs().images.insert(name, image);
    }
}

impl Strict {
    /// Versions of templates, with images for their names.
    pub(super) async fn resolve_images(&self, request: Request<Bytes>) -> Result<Response<Body>, Stop> {
        let mut answer = self.moto.pass(request).await?;
        // The body may change its length.
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        let images = self.knobs().images.clone();
        Ok(answer.map(|body| {
            let mut xml = String::from_utf8_lossy(&body).into_owned();
            for (name, image) in images {
                xml = xml.replace(
                    &format!("<imageId>{name}</imageId>"),
                    &format!("<imageId>{image}</imageId>"),
                );
            }
            http_server::whole(xml)
        }))
    }
}
