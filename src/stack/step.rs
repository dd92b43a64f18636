/// Declares the pair of a step: the tower service, generic over what lies below, and its layer.
/// The step's own file has the `Service` impl.
///
/// The outermost two hold the one shared state of the layer; below them it comes with the call, and
/// the steps are declared `stateless`.
macro_rules! step {
    ($(#[$doc:meta])* stateless $Service:ident, $Layer:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $Service<S> {
            inner: S,
        }

        #[doc = concat!("Puts a [`", stringify!($Service), "`] on what lies below.")]
        #[derive(Debug, Clone, Default)]
        #[non_exhaustive]
        pub struct $Layer;

        impl<S> tower::Layer<S> for $Layer {
            type Service = $Service<S>;

            fn layer(&self, inner: S) -> Self::Service {
                $Service { inner }
            }
        }
    };
    ($(#[$doc:meta])* $Service:ident, $Layer:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $Service<S> {
            pub(super) inner: S,
            pub(super) shared: std::sync::Arc<super::shared::Shared>,
        }

        #[doc = concat!("Puts a [`", stringify!($Service), "`] on what lies below.")]
        #[derive(Debug, Clone)]
        pub struct $Layer {
            shared: std::sync::Arc<super::shared::Shared>,
        }

        impl $Layer {
            pub(super) fn new(shared: &std::sync::Arc<super::shared::Shared>) -> Self {
                Self { shared: std::sync::Arc::clone(shared) }
            }
        }

        impl<S> tower::Layer<S> for $Layer {
            type Service = $Service<S>;

            fn layer(&self, inner: S) -> Self::Service {
                $Service { inner, shared: std::sync::Arc::clone(&self.shared) }
            }
        }
    };
}

pub(super) use step;
